"""The process around the application: gunicorn and its worker.

Start with `server`, which `python -m webapp` runs. The outermost package: only that command imports
it, and none of its code deals with bills.
"""
