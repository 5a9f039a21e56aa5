"""Tests of what is sure in the measurements: the figures, the load, the baseline."""
