"""Canary analysis: whether a canary's requests prove that it keeps its limits.

Start with `guard`, the limits and what is counted for each; `sequential` is the statistical test.
Imports `serving.rollout.remote`, which counts. `watch` acts on the verdict, `report` shows it.
"""
