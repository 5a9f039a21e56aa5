"""Tests of `webapp.views`."""
