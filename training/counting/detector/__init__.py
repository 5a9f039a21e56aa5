"""Finds bills: the network, what it learns for a scene, and from its map to boxes.

Start with `network`. Imports `scenes`.
"""
