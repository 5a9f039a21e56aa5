"""Measures how often the lists of a version are right, by kind of scene, and shows them.

Start with `judging`. Imports only `scenes`: it calls a version as the version's users do.
"""
