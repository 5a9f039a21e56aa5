"""Tests of `bench.load`."""
