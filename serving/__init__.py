"""Serves versions of models: a local model server, a client for model servers, and rollouts.

`client` calls a model server and `wire` holds the messages; `local` is the embedded model server;
`rollout` moves versions, labels and traffic; `files` reads files that other users may have written.
`webapp` may import only `client`, `concurrency`, `spans`, `tracing` and `traffic`.
"""
