"""Tests of the deterministic parts of the benchmarks: the figures, the load, the baseline."""
