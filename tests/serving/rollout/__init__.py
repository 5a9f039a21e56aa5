"""Tests of rollouts, against real servers."""
