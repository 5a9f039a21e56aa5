"""What a command must find before it changes anything; each refusal says what to do instead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from serving.client import ServingError
from serving.rollout.errors import Refused
from serving.rollout.remote.server import AWAY
from serving.rollout.state.card import Kind, kind_of
from serving.rollout.state.config import CANARY, STABLE, Layout
from serving.rollout.state.deployment import Deployment
from serving.signing.manifest import Untrusted

if TYPE_CHECKING:
    from serving.signing.versions import Verifier

_SERVES_OR_WILL = ("START", "LOADING", "AVAILABLE")


def no_other_trial(layout: Layout, version: int) -> None:
    """A trial ends by its own version's promotion, or by a rollback command.

    Raises:
        Refused: another version is on trial.
    """
    other = layout.labels.get(CANARY, version)
    if other != version:
        raise Refused(f"Version {other} is the canary. Promote it or roll it back first.")


def comparable(deployment: Deployment, version: int) -> None:
    """Makes sure that the front end compares a version's answers with stable's.

    Raises:
        Refused: it is no classifier, whose answers alone are one word each.
    """
    kind = kind_of(deployment.store.path(version))
    if kind is not Kind.CLASSIFIER:
        raise Refused(
            f"Version {version} of {deployment.config.model} is a {kind}, of whose answers the "
            "front end compares no copies. Call again without --shadow."
        )


def loaded(deployment: Deployment, version: int) -> None:
    """Makes sure that a label can move to a version; a server that is away is believed to come.

    One server of several that has it is enough: the others load it first.

    Raises:
        Refused: no server would take the label, and the file would lead nowhere at their start.
    """
    try:
        told = deployment.server.states().values()
    except AWAY:
        return
    found = [s.get(version) for s in told if not isinstance(s, ServingError)]
    states = {status.state if status else "not loaded" for status in found}
    if not states.intersection(_SERVES_OR_WILL):
        state = " or ".join(sorted(states))
        raise Refused(
            f"Version {version}, the one before, is {state}: it would answer nobody. "
            f"`promote {version}` loads it first."
        )


def retirable(deployment: Deployment, version: int) -> None:
    """Makes sure that nobody is left without an answer.

    Raises:
        Refused: the version is stable, on trial, or the last one that is loaded.
    """
    layout = deployment.layout()
    labels = set(layout.labels_of(version)) & {STABLE, CANARY}
    if labels or deployment.traffic().canary == version:
        raise Refused(
            f"Version {version} is {' and '.join(sorted(labels)) or CANARY}. "
            "Promote another one or roll back first."
        )
    if layout.versions == {version}:
        raise Refused(f"Version {version} is the only one that is loaded. Promote another one.")


def signed(verifier: Verifier, folder: Path) -> str:
    """Makes sure that a version is as the holder of the site's key signed it.

    Raises:
        Refused: it is not, and which of its files.
    """
    try:
        verifier(folder)
    except Untrusted as error:
        raise Refused(str(error)) from error
    return "by the site's key"
