"""Scenes of bills composed of flat photos, with the box and the visible share of each bill.

Start with `compose`; `mixture` chooses the scenes for training. Imports photos and camera effects;
every other package of the counter imports this one.
"""
