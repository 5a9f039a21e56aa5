"""The pretrained network: backbones, where their weights come from, how layers are rewired.

Start with `backbones`. This package is independent of photos, classes and signatures.
"""
