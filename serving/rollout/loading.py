"""Prepares a version for requests: checks it, loads it next to stable, and tries it there."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

from serving.rollout.checks import memory, preconditions
from serving.rollout.checks.validation import check_files, compare_on_server
from serving.rollout.errors import Refused
from serving.rollout.remote.server import TRANSIENT_ERRORS
from serving.rollout.remote.waiting import Lost
from serving.rollout.state.config import CANARY, STABLE, Layout
from serving.rollout.state.deployment import Deployment
from serving.rollout.state.disk import digest_of
from serving.rollout.steps import Step

LOAD_SECONDS = 180.0
BACK_SECONDS = 60.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Limits:
    """Limits that a version must keep before it gets requests.

    Attributes:
        latency_ratio: largest median latency for one client, as a multiple of stable's.
        force: load the version even if it may not fit in memory.
        losses: how far the version may be behind stable.
    """

    latency_ratio: float = 2.0
    force: bool = False
    losses: preconditions.Losses = field(default_factory=preconditions.Losses)


def loading_steps(deployment: Deployment, title: str, version: int, limits: Limits) -> list[Step]:
    """Returns the steps that make a version AVAILABLE, warm and tried; repeated steps are quick.

    Args:
        deployment: the files and the servers.
        title: the command, for the history.
        version: the version to prepare.
        limits: the limits that the version must keep.
    """
    return [
        *_signature_step(deployment, version),
        Step("check its files", lambda: _check(deployment, title, version)),
        Step("room in memory", lambda: _require_room(deployment, version, limits.force)),
        Step("load", lambda: _load(deployment, title, version)),
        Step("try it on the server", lambda: _try(deployment, version, limits.latency_ratio)),
    ]


def _signature_step(deployment: Deployment, version: int) -> list[Step]:
    """Returns the step that verifies the signature before anything of the version runs."""
    verifier, path = deployment.verifier, deployment.store.path
    if verifier is None:
        return []
    return [Step("signature", lambda: preconditions.require_signed(verifier, path(version)))]


def _check(deployment: Deployment, title: str, version: int) -> str:
    """Checks the files, even those not published by this tool: a bad version may crash a server."""
    return str(check_files(deployment, deployment.store.path(version), title))


def _require_room(deployment: Deployment, version: int, force: bool) -> str:
    if deployment.server.serves(version):
        return "loaded already"
    check = deployment.checks.get(digest_of(deployment.store.path(version)))
    if check is None:
        raise Refused("Its files have changed since they were checked.")
    return memory.require_room(check.growth_bytes, memory.free_bytes(), force=force)


def _load(deployment: Deployment, title: str, version: int) -> str:
    """Loads a version; removes it from the file if stable stops serving meanwhile.

    Otherwise the server would load the version again at each start, and crash again.
    """
    layout, server = deployment.layout(), deployment.server
    deployment.history.note_version(title, version)
    others = layout.without_version(version)
    watched = [] if server.serves(version) else server.serving(others.stable)
    config = deployment.write(layout.with_version(version))
    try:
        server.load(config, version, others.stable, watched, LOAD_SECONDS)
    except (Lost, *TRANSIENT_ERRORS) as error:
        if not watched:
            raise
        deployment.config.write(others)
        raise Refused(
            f"{server.name} ended or fell silent while it loaded version {version}, most likely "
            f"for want of memory ({str(error).rstrip('.')}). The version is out of the "
            f"configuration, and {_return_of_stable(deployment, others)}"
        ) from error
    return f"AVAILABLE and warm{server.extent()}"


def _return_of_stable(deployment: Deployment, layout: Layout) -> str:
    """Waits for stable; sends the file again, since a server may have started with the old one."""
    deadline = time.monotonic() + BACK_SECONDS
    while time.monotonic() < deadline:
        with suppress(*TRANSIENT_ERRORS):
            deployment.apply(layout, wait=False)
            if deployment.server.serves(layout.stable):
                return "stable answers again"
        time.sleep(_POLL_SECONDS)
    return f"stable does not answer yet after {BACK_SECONDS:g} s"


def _try(deployment: Deployment, version: int, largest_ratio: float) -> str:
    # A label of the operator's own says nothing about requests.
    if {STABLE, CANARY}.intersection(deployment.layout().labels_of(version)):
        return "serves already"
    return compare_on_server(deployment, version, largest_ratio)
