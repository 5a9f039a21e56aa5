"""Tests of how scenes are composed."""
