"""Tests of `serving.local.runtime`."""
