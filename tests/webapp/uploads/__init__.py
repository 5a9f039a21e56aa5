"""Tests of `webapp.uploads`."""
