"""What is measured: this project's tiers, the original design, other engines.

Start with `contenders`.
"""
