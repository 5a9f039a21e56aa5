"""Tests of `training.export`."""
