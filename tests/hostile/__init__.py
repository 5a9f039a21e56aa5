"""Requests, files and versions that want to stop a process, against the real processes.

Each test asserts what the sender is told, that others are answered meanwhile, that memory stays
bounded and that the process is the same one afterwards. `pytest -m hostile` runs these alone.
"""
