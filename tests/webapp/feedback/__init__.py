"""Tests of `webapp.feedback`."""
