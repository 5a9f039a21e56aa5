"""Tests of the container files and of the containers."""
