"""The files of a rollout: `models.config`, the versions on disk, their cards, the history.

Configuration files are replaced atomically, and the history is appended to, see `files`. Of
`serving.rollout` it imports only `remote` and the errors.
"""
