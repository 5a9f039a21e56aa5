"""Tests of how a counter is measured."""
