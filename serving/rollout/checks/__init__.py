"""Checks before a version gets requests: it loads, answers, and fits in memory.

`validation` runs `check`, which loads the version in a separate process. `preconditions` has the
conditions of each command, `contract` the outputs that each kind of model must return, and
`golden_set` the photos whose right answers are known.
"""
