"""Tests of `bench.rollout`."""
