"""Builds a version: a folder of photos goes in, a SavedModel under `models/` comes out.

Read in this order: `dataset` (photos and the split), `augment` (what hands and tables do to them),
`backbones` (the pretrained network), `fit` (the two stages), `calibrate` (how sure is sure enough),
`export` (the signatures, the warm-up, the model card), `evaluate` (figures through the export).
"""
