"""Tests of the model server and its client."""
