"""Rollouts, against real servers."""
