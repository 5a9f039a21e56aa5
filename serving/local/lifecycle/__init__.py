"""Loads and unloads versions, and keeps their states and labels.

Start with `manager`: it loads and unloads versions as `model_config` and `version_policy` require.
`storage` reads the version folders. `inference`, `rest` and `grpc` import this package.
"""
