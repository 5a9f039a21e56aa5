"""The photos of a request's body, read within bounds of size, number and memory.

Start with `photos`, which `webapp.views` calls; `forms` reads the multipart ones as they come in.
`memory_budget` bounds what all bodies take together: `webapp.runtime` reserves from it too, for
bodies that no thread reads yet.
"""
