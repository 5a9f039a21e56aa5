"""The data that a version keeps of its training photos, so that it can learn others without them.

Start with `rehearsal`; `parts` divides a network into layers that stay unchanged, whose outputs are
kept, and layers that can be taught.
"""
