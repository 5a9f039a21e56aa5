"""Photos and their metadata: reading a folder, splitting it, finding duplicates.

Start with `dataset`; `weights` says how much each photo counts. Every later step imports this
package, which imports none of them.
"""
