"""Tests of the counter: scenes, targets, the graph, the commands."""
