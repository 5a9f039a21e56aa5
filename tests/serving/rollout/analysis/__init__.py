"""Tests of `serving.rollout.analysis`."""
