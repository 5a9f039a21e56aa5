"""Builds a version: photos in, a SavedModel under `models/` out.

Read in this order: `data.dataset` (photos and classes), `data.split` (the held-out photos),
`augmentation.augment` (views), `network.backbones` (the pretrained network), `fit` (both stages),
`export.version` (calibration, signatures, model card), `evaluation.evaluate` (figures),
`teaching.teach` (a version learns a new design).
`commands` ties them to the command line. No other tier imports this one, except `bench`.
"""
