"""Rollouts under load: effects on clients, the cost of many servers, the error rate of `watch`.

`python -m bench.rollout` runs a rollout with real tiers, `demo` prints one as a transcript, `fleet`
runs one with hundreds of `simulated` servers, `false_alarms` measures the statistical test.
"""
