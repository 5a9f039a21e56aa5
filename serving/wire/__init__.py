"""The protocol: messages, method paths, numpy arrays to `TensorProto` and back.

Start with `tensors`. Clients, servers and training import this package; it imports none of them.
"""
