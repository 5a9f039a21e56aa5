"""Evaluates a version: measures, slices, tables, plots and the report.

Start with `evaluate`. It calls a version through its signature, as a client would.
"""
