"""From figures to docs/performance.md: targets, tables, plots.

Start with `page`.
"""
