"""What `python -m serving rollout status` shows: versions, labels, traffic, figures.

Start with `status`, the table; `differences` says where servers do not have what the files say,
`other_models` adds a line about each other model. Reads and changes nothing.
"""
