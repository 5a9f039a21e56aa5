"""The commands that change what is served: canary, promote, rollback, retire.

All use the only order in which no request fails: load, wait until AVAILABLE, try, move the label,
then change the share of the clients. The way back is: change the share, move the label, unload.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from serving.rollout.checks import preconditions
from serving.rollout.errors import Refused
from serving.rollout.loading import LOAD_SECONDS, Limits, loading_steps
from serving.rollout.remote.server import TRANSIENT_ERRORS
from serving.rollout.state.config import CANARY, PREVIOUS, STABLE, Layout, difference
from serving.rollout.state.deployment import Deployment
from serving.rollout.steps import Command, Step
from serving.traffic import NO_CANARY, Traffic

__all__ = ["Limits", "canary", "promote", "retire", "rollback"]

_CONFIRM_SECONDS = 5.0
_POLL_SECONDS = 0.1


def canary(deployment: Deployment, title: str, wanted: Traffic, limits: Limits) -> Command:
    """Loads a version next to stable, tries it, and gives it a share of the clients.

    Raises:
        Refused: another version is on trial, this one is stable or worse than stable, or copies
            cannot be compared.
    """
    version = wanted.canary
    layout = deployment.layout()
    if version is None or version == layout.stable:
        raise Refused(f"Version {version} is stable already.")
    preconditions.require_no_other_trial(layout, version)
    preconditions.require_no_worse(deployment, deployment.store.path(version), limits.losses)
    if wanted.shadow:
        preconditions.require_comparable(deployment, version)
    return Command(
        title,
        [
            *_without_previous(deployment, layout),
            *loading_steps(deployment, title, version, limits),
            Step("labels", _relabel(deployment, **{CANARY: version})),
            Step("share of the clients", lambda: _write_split(deployment, wanted)),
        ],
        _restore(deployment, version),
    )


def promote(deployment: Deployment, title: str, version: int, limits: Limits) -> Command:
    """Makes a version stable; the stable one before stays loaded and is labelled `previous`.

    A canary was compared with stable when it became the canary, and is not compared again.

    Raises:
        Refused: another version is on trial, or this one is worse than stable.
    """
    layout = deployment.layout()
    preconditions.require_no_other_trial(layout, version)
    if layout.labels.get(CANARY) != version:
        preconditions.require_no_worse(deployment, deployment.store.path(version), limits.losses)
    old = layout.stable
    moved: dict[str, int | None] = {STABLE: version, CANARY: None}
    first: list[Step] = []
    if old not in (None, version):
        moved[PREVIOUS] = old
        first = _without_previous(deployment, layout)
    return Command(
        title,
        [
            *first,
            *loading_steps(deployment, title, version, limits),
            Step("labels", _relabel(deployment, **moved)),
            # After the label has moved, so that the canary's clients keep their version.
            Step("share of the clients", lambda: _write_split(deployment, NO_CANARY)),
            Step("ask for stable", lambda: _confirm(deployment, version)),
        ],
        _restore(deployment, version),
    )


def rollback(deployment: Deployment, title: str) -> Command:
    """Reverts the last change: ends the trial, or moves `stable` back to the previous version.

    Changes labels and shares, and loads nothing. A failed rollback is not undone: going back is
    always right, and an unreachable server reads the file when it is back. Of several servers, dead
    ones are not waited for, and late ones get the configuration again after the others.

    Raises:
        Refused: the previous version does not serve any more.
    """
    labels = deployment.layout().labels
    back: dict[str, int | None] = {CANARY: None}
    if CANARY not in labels and PREVIOUS in labels:
        preconditions.require_loaded(deployment, labels[PREVIOUS])
        back |= {STABLE: labels[PREVIOUS], PREVIOUS: None}
    steps = [
        Step("share of the clients", lambda: _write_split(deployment, NO_CANARY)),
        Step("labels", _change(deployment, lambda now: now.with_labels(**back), wait=False)),
    ]
    if not deployment.server.is_one:
        steps.append(Step("servers that were late", lambda: _tell_late(deployment)))
    return Command(title, steps)


def retire(deployment: Deployment, title: str, version: int, *, delete: bool) -> Command:
    """Unloads a version; keeps its files unless `delete` is set.

    Raises:
        Refused: the version is stable, on trial, the only loaded one, or unknown: neither on disk
            nor in the file nor, with `delete`, in the history.
    """
    preconditions.require_retirable(deployment, version)
    # The file may ask for a version whose folder is gone; retiring the version removes it there. A
    # deletion that was cut off has begun with a line in the history.
    known = {*deployment.layout().versions, *deployment.store.versions()}
    if version not in known and not (delete and version in deployment.history.versions()):
        deployment.store.path(version)
    steps = [
        Step("no longer asked for", _change(deployment, lambda now: now.without_version(version))),
        Step("unload after its last request", lambda: _unload(deployment, version)),
    ]
    if delete:
        steps.append(Step("delete its files", lambda: _delete(deployment, title, version)))
    return Command(title, steps)


def _without_previous(deployment: Deployment, layout: Layout) -> list[Step]:
    """Returns the step that takes the label `previous` from the version that stable replaced.

    A new change means that stable is good. It begins with this step, so that `rollback` takes back
    this change, also if it was cut off, and never the one before it.
    """
    if PREVIOUS not in layout.labels:
        return []
    return [Step("stable is kept", _relabel(deployment, **{PREVIOUS: None}))]


def _delete(deployment: Deployment, title: str, version: int) -> None:
    deployment.history.note_version(title, version)
    deployment.store.delete(version)


def _relabel(deployment: Deployment, **labels: int | None) -> Callable[[], str]:
    return _change(deployment, lambda now: now.with_labels(**labels))


def _change(
    deployment: Deployment, change: Callable[[Layout], Layout], *, wait: bool = True
) -> Callable[[], str]:
    def do() -> str:
        before = deployment.layout()
        after = change(before)
        deployment.apply(after, wait=wait)
        return difference(before, after) + deployment.server.without()

    return do


def _write_split(deployment: Deployment, wanted: Traffic) -> str:
    deployment.write_split(wanted)
    if wanted.canary is None:
        return "stable answers all"
    copies = ", and copies of the others' requests" if wanted.shadow else ""
    return f"version {wanted.canary} answers {wanted.percent:g} % by {wanted.by}{copies}"


def _tell_late(deployment: Deployment) -> str:
    deployment.server.tell_late(deployment.config.message())
    return f"done{deployment.server.extent()}"


def _confirm(deployment: Deployment, version: int) -> str:
    deadline = time.monotonic() + _CONFIRM_SECONDS
    while (found := _answering(deployment)) != f"version {version} answers":
        if time.monotonic() > deadline:
            raise Refused(f"Expected that version {version} answers. Found: {found}.")
        time.sleep(_POLL_SECONDS)
        # A server may have read the old file just before the reload, and apply it afterwards.
        with suppress(*TRANSIENT_ERRORS):
            deployment.apply(deployment.layout(), wait=False)
    return found


def _answering(deployment: Deployment) -> str:
    """Says to which versions `stable` leads on the servers that answer, or why none answers."""
    try:
        found = set(deployment.server.versions_of(STABLE).values())
        return f"version {' and '.join(sorted(str(version) for version in found))} answers"
    except TRANSIENT_ERRORS as error:
        return f"no answer, {error}"


def _unload(deployment: Deployment, version: int) -> str:
    deployment.server.wait_until_gone(version, LOAD_SECONDS)
    return f"unloaded{deployment.server.extent()}"


def _restore(deployment: Deployment, version: int) -> Callable[[], None]:
    """Returns a function that restores split, labels and versions, in the order of a rollback.

    A version that `loading` has removed from the file stays out, even if it was in it before. A
    traffic file that cannot be understood stays as it is, unless the command has replaced it.
    """
    layout, split = deployment.layout(), _known_split(deployment)

    def undo() -> None:
        out = version not in deployment.layout().versions
        try:
            if split is not None:
                deployment.write_split(NO_CANARY if out and split.canary == version else split)
            elif _known_split(deployment) is not None:
                deployment.write_split(NO_CANARY)
        finally:
            # A server that is away reads the file when it is back.
            with suppress(*TRANSIENT_ERRORS):
                before = layout.without_version(version) if out else layout
                deployment.apply(before, wait=False)

    return undo


def _known_split(deployment: Deployment) -> Traffic | None:
    """Returns the model's split, or None if the traffic file cannot be understood."""
    try:
        return deployment.traffic()
    except Refused:
        return None
