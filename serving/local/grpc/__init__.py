"""TensorFlow Serving's gRPC API: the prediction, model and health services.

Start with `server`, which listens; `admission` limits the memory and threads of calls, `answers`
calls `serving.local.inference.dataplane`. Only `serving.local.server` imports this package.
"""
