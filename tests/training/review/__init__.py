"""Tests of `training.review`."""
