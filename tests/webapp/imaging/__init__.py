"""Tests of `webapp.imaging`."""
