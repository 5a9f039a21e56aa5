"""Tests of training, from photos to a version."""
