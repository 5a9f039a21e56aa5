"""Tests of `webapp.telemetry`."""
