"""Tests of the graph of a version and of its trust."""
