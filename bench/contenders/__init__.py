"""The measured systems: this project's tiers, the original design, other servers and engines.

Start with `contenders`.
"""
