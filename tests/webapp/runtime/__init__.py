"""Tests of `webapp.runtime`."""
