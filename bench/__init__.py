"""Benchmarks, which report ratios and assert nothing.

`python -m bench` runs all of them and writes docs/performance.md. Only tests import this package.
"""
