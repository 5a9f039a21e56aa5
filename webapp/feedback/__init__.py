"""Photos that people sent back with the right answer, and the bounds on them.

Start with `store`, which says how the folder is laid out; `record` is what is kept beside a photo.
Imports no room: `views` writes to it, `runtime` clears it, and `training.review` reads it.
"""
