"""How a loaded graph runs: TensorFlow session, batching, fair scheduling, threads, memory.

Start with `saved_model`. The innermost room: the only one that imports TensorFlow, and it imports
no other room.
"""
