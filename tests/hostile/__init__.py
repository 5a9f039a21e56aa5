"""Requests, files and versions that try to stop a process, run against the real processes.

Each test asserts the sender's reply, that others are answered meanwhile, that memory stays bounded
and that the process was not restarted. `pytest -m hostile` runs only these tests.
"""
