"""Tests of `serving.signing`."""
