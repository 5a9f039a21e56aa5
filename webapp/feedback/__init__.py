"""Feedback: photos that people sent back with the right answer, and the limits on storing them.

Start with `store`, which describes the layout of the folder; `record` is the data of one photo.
Imports no other package: `views` adds, `runtime` expires and `training.review` reads photos.
"""
