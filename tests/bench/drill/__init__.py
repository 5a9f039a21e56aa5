"""Tests of `bench.drill`."""
