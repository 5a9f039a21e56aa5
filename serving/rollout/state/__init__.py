"""The files of a rollout: `models.config`, the versions on disk, their cards, the history.

Every write is atomic, see `files`. Of `serving.rollout` it imports only `remote` and the errors.
"""
