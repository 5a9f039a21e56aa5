"""Tests of `serving.local.rest`."""
