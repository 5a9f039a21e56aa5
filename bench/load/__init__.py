"""The load: the generator, worker processes, memory and processor time of processes.

Start with `generator`.
"""
