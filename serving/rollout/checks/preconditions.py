"""Conditions that must hold before a command changes anything; refusals say what to do instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from serving.client import ServingError
from serving.rollout.errors import Refused
from serving.rollout.remote.server import TRANSIENT_ERRORS
from serving.rollout.state.card import Kind, accuracy_of, classes_of, kind_of
from serving.rollout.state.config import CANARY, STABLE, Layout
from serving.rollout.state.deployment import Deployment
from serving.signing.manifest import Untrusted

if TYPE_CHECKING:
    from serving.signing.versions import Verifier

_SERVES_OR_WILL = ("START", "LOADING", "AVAILABLE")


@dataclass(frozen=True)
class Losses:
    """How far a version may be behind stable, according to their model cards.

    Attributes:
        classes: whether it may lack some of stable's classes.
        accuracy: by how much its accuracy may be below stable's, 0 to 1. The accuracies may be
            measured on different photos, so only a large difference is meaningful.
    """

    classes: bool = False
    accuracy: float = 0.2


def require_no_worse(deployment: Deployment, folder: Path, allowed: Losses) -> None:
    """Compares the card of a version with stable's; skips values that one of the cards lacks.

    Skips accuracies of which only one was measured on hard views, as that of a taught version is.

    Raises:
        Refused: the version lacks classes that stable knows, or is right far less often.
    """
    number = deployment.layout().stable
    stable = deployment.store.versions().get(number) if number is not None else None
    if stable is None:
        return
    known = classes_of(folder)
    lost = [name for name in classes_of(stable) if known and name not in known]
    if lost and not allowed.classes:
        raise Refused(
            f"It does not know {', '.join(lost)}, which stable, version {number}, knows. "
            "--classes-changed lets it pass."
        )
    new, old = accuracy_of(folder), accuracy_of(stable)
    alike = new and old and new.hard == old.hard
    if new and old and alike and old.share - new.share > allowed.accuracy:
        raise Refused(
            f"It is right about {new.share:.1%} of {new.pictures}, and stable, version {number}, "
            f"about {old.share:.1%} of {old.pictures}: more than {100 * allowed.accuracy:g} points "
            "less. --max-accuracy-loss allows more."
        )


def require_no_other_trial(layout: Layout, version: int) -> None:
    """Makes sure that no other version is on trial. A promotion or a rollback ends a trial.

    Raises:
        Refused: another version is on trial.
    """
    other = layout.labels.get(CANARY, version)
    if other != version:
        raise Refused(f"Version {other} is the canary. Promote it or roll it back first.")


def require_comparable(deployment: Deployment, version: int) -> None:
    """Makes sure that the front end compares a version's answers with stable's.

    Raises:
        Refused: the version is no classifier; only a classifier's answer is a single word.
    """
    kind = kind_of(deployment.store.path(version))
    if kind is not Kind.CLASSIFIER:
        raise Refused(
            f"Version {version} of {deployment.config.model} is a {kind}, of whose answers the "
            "front end compares no copies. Call again without --shadow."
        )


def require_loaded(deployment: Deployment, version: int) -> None:
    """Makes sure that a label can move to a version; passes if no server can be reached.

    One server of several with the version is enough: the others load it before the label moves.

    Raises:
        Refused: no server has the version, so none would accept the label, now or at its start.
    """
    try:
        told = deployment.server.states().values()
    except TRANSIENT_ERRORS:
        return
    found = [s.get(version) for s in told if not isinstance(s, ServingError)]
    states = {status.state if status else "not loaded" for status in found}
    if not states.intersection(_SERVES_OR_WILL):
        state = " or ".join(sorted(states))
        raise Refused(
            f"Version {version}, the one before, is {state}: it would answer nobody. "
            f"`promote {version}` loads it first."
        )


def require_retirable(deployment: Deployment, version: int) -> None:
    """Makes sure that clients still get answers once a version is unloaded.

    Raises:
        Refused: the version is stable, on trial, or the only loaded one.
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


def require_signed(verifier: Verifier, folder: Path) -> str:
    """Makes sure that a version is unchanged since the holder of the site's key signed it.

    Raises:
        Refused: the version is not signed by this key, or changed; names the file.
    """
    try:
        verifier(folder)
    except Untrusted as error:
        raise Refused(str(error)) from error
    return "by the site's key"
