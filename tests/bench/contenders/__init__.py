"""Tests of `bench.contenders`."""
