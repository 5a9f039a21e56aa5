"""gRPC as TensorFlow Serving speaks it: prediction, model and health service.

A thin skin over `serving.local.inference.dataplane`; only `serving.local.server` imports it.
"""
