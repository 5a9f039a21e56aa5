"""Runs loaded graphs: TensorFlow session, batching, fair scheduling, threads and memory.

Start with `saved_model`. Only this package imports TensorFlow; it imports no other package of
`serving.local`.
"""
