"""The process around the application: gunicorn and its worker.

Start with `server`, which `python -m webapp` runs. The outermost room: nothing imports it but that
command, and nothing in it knows what a bill is.
"""
