"""Turns figures into docs/performance.md: targets, tables, plots.

Start with `page`.
"""
