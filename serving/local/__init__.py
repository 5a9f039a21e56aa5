"""The embedded model server: TensorFlow Serving's protocols, flags and files in one process.

From outside to inside: `main` (flags, signals), `server` (wiring), `rest` and `grpc` (two thin
skins), `inference` (what can be asked), `lifecycle` (which versions are loaded), `runtime` (how a
graph is run; TensorFlow, nowhere else).
"""
