"""Tests of `serving.local.grpc`."""
