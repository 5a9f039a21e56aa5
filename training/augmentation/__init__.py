"""Augmentation: random views of a photo, as hands, tables and cameras would make them.

Start with `augment`. `edges` makes pictures of several bills, made-up values and textures; `views`
makes the batches of a run, and the hard views on which it is evaluated and calibrated.
"""
