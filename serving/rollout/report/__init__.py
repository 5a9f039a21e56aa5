"""The output of `python -m serving rollout status`: versions, labels, traffic, figures.

Start with `status`, which `table` formats. `differences` finds servers that differ from the files,
`other_models` adds a line about each other model. This package only reads, and changes nothing.
"""
