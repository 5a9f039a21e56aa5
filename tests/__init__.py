"""Tests of the three tiers, organised like the code."""
