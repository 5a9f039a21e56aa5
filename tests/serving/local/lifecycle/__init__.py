"""Tests of `serving.local.lifecycle`."""
