"""Tests of `webapp.inference`."""
