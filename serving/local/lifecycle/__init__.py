"""Which versions are loaded: files and folders in, states and labels out.

Start with `manager`: it compares what `model_config` and `version_policy` ask for with what is
there, and loads and unloads. `storage` looks at the disk. `inference`, `rest` and `grpc` import it.
"""
