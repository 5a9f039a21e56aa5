"""Makes a version from a finished run: calibration, graph rewrites, signatures, model card.

Start with `version`. `signatures` builds the graph that servers load.
"""
