"""Reads the photos of a request's body within limits on size, number and memory.

Start with `photos`, which `webapp.views` calls; `forms` parses multipart bodies as they arrive.
`memory_budget` limits the memory of all bodies together: `webapp.runtime` reserves from it too, for
bodies that no thread reads yet.
"""
