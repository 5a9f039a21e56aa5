"""Measures; they report ratios and assert nothing."""
