"""Tests of `training.teaching`."""
