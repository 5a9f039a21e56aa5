"""Tests of `serving.client`."""
