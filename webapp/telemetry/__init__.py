"""For operators: metrics, access log, log format, traces.

Start with `metrics`, which adds `current_state` and `confidence` to its counts and keeps a
`metrics_history`. Imports `inference`, to count calls and answers; `views` and `runtime` may
import this package.
"""
