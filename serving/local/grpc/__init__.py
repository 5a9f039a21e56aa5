"""gRPC as TensorFlow Serving speaks it: prediction, model and health service.

Start with `server`, which listens; `admission` bounds what calls may hold, `answers` asks
`serving.local.inference.dataplane` for them. Only `serving.local.server` imports this room.
"""
