"""The pretrained network: backbones, where their weights come from, how layers are rewired.

Start with `backbones`. Knows nothing of photos, classes or signatures.
"""
