"""Containers: their files."""
