"""Scenes of bills composed of flat photos, with the box and the visible share of each bill.

Start with `compose`; `mixture` says which scenes there are to learn from. Imports photos and
camera effects; every other room of the counter imports it.
"""
