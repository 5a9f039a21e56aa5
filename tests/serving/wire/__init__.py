"""Tests of `serving.wire`."""
