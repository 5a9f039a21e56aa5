"""Feedback is looked at here before anything learns from it: a page on this machine alone.

Start with `page`, which shows the photos of a folder that the front end has written, and accepts
them, under the same or another class, or throws them away. `server` opens it.
"""
