"""Tests of `webapp.decoding`."""
