"""HTTP: the page, the API, health checks, errors and headers.

Start with `api`, which follows one request of `POST /predict` from the query to the reply.
`problems` is the only module that turns an error into a response. An outer package: only
`webapp.app` and `webapp.runtime` import it.
"""
