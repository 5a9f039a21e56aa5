"""The embedded model server: TensorFlow Serving's protocols, flags and files in one process.

From the outer to the inner layer: `main` (flags, signals), `server` (wiring), `rest` and `grpc`
(protocols), `inference` (predictions), `lifecycle` (loads and unloads versions), `runtime` (runs
graphs; only this package imports TensorFlow). "The original" always means TensorFlow Serving, and a
"recorded case" is one of its exchanges in `tests/serving/exchanges`.
"""
