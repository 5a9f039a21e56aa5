"""Tests of `training.rehearsal`."""
