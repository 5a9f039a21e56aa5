"""Hosts versions of the model: a local model server, a client for either server, rollouts.

`client` asks a model server and `wire` holds the messages; `local` is the embedded model server;
`rollout` moves versions, labels and traffic; `files` reads what somebody else may have written.
`webapp` may import `client`, `concurrency` and `traffic`, nothing else.
"""
