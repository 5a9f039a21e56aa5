"""What a version keeps of its photos, so that it can be taught others without them.

Start with `rehearsal`; `parts` divides a network into the layers that stay as they are, whose
outputs are kept, and those that can be taught.
"""
