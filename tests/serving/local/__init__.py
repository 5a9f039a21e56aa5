"""Tests of `serving.local`."""
