"""The load: the generator, worker processes, rounds by turns.

Start with `rounds`.
"""
