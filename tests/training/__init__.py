"""From photos to a version."""
