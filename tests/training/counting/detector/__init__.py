"""Tests of the network, its targets and its boxes."""
