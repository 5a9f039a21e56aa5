"""Helpers that the tests of several tiers share."""
