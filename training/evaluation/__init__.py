"""How good a version is: measures, slices, tables, plots and the report.

Start with `evaluate`. Asks a version through its signature, as a client would.
"""
