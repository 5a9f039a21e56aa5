"""Exchanges recorded with a real TensorFlow Serving, replayed against the local server."""
