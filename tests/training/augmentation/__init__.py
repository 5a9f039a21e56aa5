"""Tests of `training.augmentation`."""
