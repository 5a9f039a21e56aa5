"""The SavedModel of the counter: find, cut out, read, and how far the whole list is to be trusted.

Start with `counter`. Imports `detector`; the commands and `fit` import it.
"""
