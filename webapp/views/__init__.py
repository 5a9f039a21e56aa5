"""HTTP: the page, the API, health checks, uploads, errors and headers.

Start with `api`, which follows one request of `POST /predict` from the query to the reply.
`uploads` reads the pictures out of the body, `problems` is the one place that turns an error into a
response. The outermost room: only `webapp.app` imports it.
"""
