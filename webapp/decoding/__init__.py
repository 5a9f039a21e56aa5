"""Decodes pictures in processes of their own: a hostile file ends one, and not the front end.

Start with `pool`, which lends the processes to the clients by turns (`fair_queue`). `process` is
one of them as the front end sees it, `worker` is the program that it runs, confined by `sandbox`;
`messages` are what both say. Imports `webapp.imaging`, which does the decoding;
`webapp.inference` and the rooms around it import it.
"""
