"""Tests of both tiers together."""
