"""Photos and what is known of them: reading a folder, splitting it, finding duplicates.

Start with `dataset`; `weights` says how much each photo counts. Imported by every later step;
imports none of them.
"""
