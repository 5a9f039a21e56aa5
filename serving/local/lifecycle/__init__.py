"""Loads and unloads versions, and keeps their states and labels.

Start with `manager`: it takes steps towards the versions that `aspired_versions` finds for the
models of `model_config`. `storage` reads the version folders. `inference`, `rest` and `grpc` import
this package.
"""
