"""Marks a version as checked; imports no TensorFlow, so that `cut_off` starts immediately."""

from __future__ import annotations

from pathlib import Path

from serving.rollout.state.deployment import Check, Deployment
from serving.rollout.state.disk import digest_of


def believe(deployment: Deployment, version: Path, growth_bytes: int = 10_000_000) -> str:
    """Has a version pass as if this process had loaded it and tried it; returns its digest."""
    digest = digest_of(version)
    deployment.checks[digest] = Check(growth_bytes)
    return digest
