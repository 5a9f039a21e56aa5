"""Decodes pictures in separate processes: a hostile file crashes one of them, not the front end.

Start with `pool`, which lends the processes to clients in a fair order (`fair_queue`). `process` is
the front end's handle of one process, and `worker` the program that the process runs, confined by
`sandbox`; `messages` is the protocol between them. Imports `webapp.imaging`, which does the
decoding; `webapp.inference` and the outer packages import it.
"""
