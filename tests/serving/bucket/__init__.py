"""Versions in a bucket: a real S3 protocol, the real rclone, and the scripts of pods and Job."""
