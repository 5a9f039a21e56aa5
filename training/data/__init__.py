"""Photos and what is known of them: reading a folder, splitting it, finding duplicates.

Start with `dataset`. Imported by every later step; imports none of them.
"""
