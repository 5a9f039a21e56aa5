"""The embedded model server: TensorFlow Serving's protocols, flags and files in one process.

From outside to inside: `main` (flags, signals), `files` (what the flags name), `server` (wiring),
`http_server`, `http_body` and `rest_api` (REST), `grpc_server` and `grpc_answers` (gRPC),
`dataplane` (what can be asked), `versions` and `manager` (what is loaded), `predict` and
`inference` (one call), `batching`, `servable` (TensorFlow, nowhere else).
"""
