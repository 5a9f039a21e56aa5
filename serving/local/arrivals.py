"""Waits until the models of a configuration serve, and says which do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Set
from typing import TypeAlias

from serving.local.errors import Code, StatusError
from serving.local.versions import Key, Status, Version, Versions

Awaited: TypeAlias = Callable[[str], Set[Key] | None]
"""The versions of a model that are asked for; None once the configuration lacks the model."""

_GLANCE_SECONDS = 0.2


def wait(
    versions: Versions,
    models: Collection[str],
    awaited: Awaited,
    what: str,
    stopping: threading.Event,
    seconds: float | None = None,
) -> None:
    """Waits until a version of each model is AVAILABLE and no other is yet to be tried.

    Nobody waits for a model that another configuration has taken out meanwhile.

    Args:
        versions: all that is known.
        models: names to wait for.
        awaited: the versions that are asked for, by model.
        what: the word for models in the error, which differs between start and reload.
        stopping: ends the wait.
        seconds: how long to wait; None for ever.

    Raises:
        StatusError: a version failed where none serves (recorded cases 540, 807, 831), or the time
            is over.
    """
    deadline = None if seconds is None else time.monotonic() + seconds

    def settled(known: Mapping[Key, Version]) -> bool:
        return all(_settled(known, keys) for keys in map(awaited, models) if keys is not None)

    while not versions.wait_for(settled, _GLANCE_SECONDS):
        if stopping.is_set():
            return
        if deadline is not None and time.monotonic() >= deadline:
            raise StatusError(Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
    versions.wait_for(lambda known: _raise_for(known, models, awaited, what), 0)


def _raise_for(
    known: Mapping[Key, Version],
    models: Collection[str],
    awaited: Awaited,
    what: str,
) -> bool:
    asked = [keys for keys in map(awaited, models) if keys is not None]
    failed = [_failed(known, keys) for keys in asked if not _arrived(known, keys)]
    texts = [
        f"{{{{name: {key.model} version: {key.version}}} due to error: {known[key].error}}}, "
        for keys in failed
        for key in keys[:1]
    ]
    if texts:
        text = f"{len(texts)} {what} did not become available: {{{''.join(texts)}}}"
        raise StatusError(Code.UNKNOWN, text)
    return True


def _settled(known: Mapping[Key, Version], keys: Set[Key]) -> bool:
    """Whether nothing more will come soon: all were tried, or the newest has failed for good."""
    tried = all(k in known and (known[k].serves or known[k].failures) for k in keys)
    return bool(_failed(known, keys)) or (tried and _arrived(known, keys))


def _arrived(known: Mapping[Key, Version], keys: Set[Key]) -> bool:
    return any(key in known and known[key].state == Status.AVAILABLE for key in keys)


def _failed(known: Mapping[Key, Version], keys: Set[Key]) -> list[Key]:
    """The versions that will not come, newest first."""
    return sorted((k for k in keys if k in known and known[k].error is not None), reverse=True)
