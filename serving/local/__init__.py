"""The embedded model server: TensorFlow Serving's protocols, flags and files in one process.

From outside to inside: `main` (flags, signals), `server` (wiring), `rest` and `grpc` (a protocol
each), `inference` (what can be asked), `lifecycle` (which versions are loaded), `runtime` (how a
graph is run; TensorFlow, nowhere else). "The original" is TensorFlow Serving in all of it, and a
recorded case is one of its exchanges in `tests/serving/exchanges`.
"""
