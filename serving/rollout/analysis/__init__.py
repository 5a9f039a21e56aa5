"""Canary analysis: whether a canary's requests prove that it keeps its limits.

Start with `limits`: the limits, and the counts for each. `sequential` is the statistical test. The
counts come from `serving.rollout.remote`. `watch` acts on the verdict, `report` shows it.
"""
