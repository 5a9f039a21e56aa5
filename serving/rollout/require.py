"""What a command must find before it changes anything; each refusal says what to do instead."""

from __future__ import annotations

from serving.rollout.config import CANARY, STABLE, Layout
from serving.rollout.errors import Refused
from serving.rollout.server import AWAY
from serving.rollout.site import Site

_SERVES_OR_WILL = ("START", "LOADING", "AVAILABLE")


def no_other_trial(layout: Layout, version: int) -> None:
    """A trial ends by its own version's promotion, or by a rollback that somebody asked for.

    Raises:
        Refused: another version is on trial.
    """
    other = layout.labels.get(CANARY, version)
    if other != version:
        raise Refused(f"Version {other} is the canary. Promote it or roll it back first.")


def loaded(site: Site, version: int) -> None:
    """Makes sure that a label can move to a version; a server that is away is believed to come.

    Raises:
        Refused: the server would not take the label, and the file would lead nowhere at its start.
    """
    try:
        status = site.server.states().get(version)
    except AWAY:
        return
    if status is None or status.state not in _SERVES_OR_WILL:
        state = status.state if status else "not loaded"
        raise Refused(
            f"Version {version}, the one before, is {state}: it would answer nobody. "
            f"`promote {version}` loads it first."
        )


def retirable(site: Site, version: int) -> None:
    """Makes sure that nobody is left without an answer.

    Raises:
        Refused: the version is stable, on trial, or the last one that is loaded.
    """
    layout = site.layout()
    labels = set(layout.labels_of(version)) & {STABLE, CANARY}
    if labels or site.traffic().canary == version:
        raise Refused(
            f"Version {version} is {' and '.join(sorted(labels)) or CANARY}. "
            "Promote another one or roll back first."
        )
    if layout.versions == {version}:
        raise Refused(f"Version {version} is the only one that is loaded. Promote another one.")
