"""The detector of bills: its network, its training targets, and the step from its map to boxes.

Start with `network`. Imports `scenes`.
"""
