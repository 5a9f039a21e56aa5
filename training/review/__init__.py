"""The review of feedback before a version learns from it: a web page for this machine only.

Start with `page`. It shows the photos in a folder that the front end has written; a person accepts
each photo, under the same or another class, or discards it. `server` serves the page.
"""
