"""From a finished run to a version: calibration, graph rewrites, signatures, model card.

Start with `version`. `signatures` is the graph that servers load.
"""
