"""Hosts versions of the model: a local model server, and the client that asks it."""
