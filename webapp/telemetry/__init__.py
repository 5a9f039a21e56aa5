"""For operators: metrics and their history, access log, log format.

Start with `metrics`. Imports `inference`, to count calls and answers; `views` and `runtime` may
import this package.
"""
