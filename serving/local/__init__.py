"""The embedded model server: TensorFlow Serving's protocols, flags and files in one process.

From outside to inside: `main` (flags, signals), `server` (wiring), `http_server` and `rest_api`
(REST), `grpc_server` (gRPC), `dataplane` (what can be asked), `versions` and `manager` (what is
loaded), `servable` (TensorFlow, nowhere else).
"""
