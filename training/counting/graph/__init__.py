"""The SavedModel of the counter: find bills, cut them out, read them, decide whether to trust them.

Start with `counter`. Imports `detector`; the commands and `fit` import this package.
"""
