"""Rollouts under load: what clients notice, what many servers cost, how often `watch` errs.

`python -m bench.rollout` does one with real tiers, `demo` shows it as a transcript, `fleet` does it
with hundreds of `simulated` servers, `false_alarms` tries the statistical test.
"""
