"""For operators: metrics and their history, access log, log format.

Start with `metrics`. Imports `inference`, whose calls and answers it counts; `views` and `runtime`
may import it.
"""
