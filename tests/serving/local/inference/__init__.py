"""Tests of `serving.local.inference`."""
