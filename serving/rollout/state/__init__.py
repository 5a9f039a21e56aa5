"""The files of a rollout: `models.config`, the versions on disk, their cards, the history.

Every write is atomic, see `files`. May import nothing else of `serving.rollout` but its errors.
"""
