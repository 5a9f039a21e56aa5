"""Tests of `training.network`."""
