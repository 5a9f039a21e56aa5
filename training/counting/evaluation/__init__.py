"""How often the lists of a version are right, by kind of scene, as figures and pictures.

Start with `judging`. Imports `scenes` alone: it sees a version as its users do.
"""
