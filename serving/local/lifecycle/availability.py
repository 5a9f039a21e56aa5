"""Waits until the models of a configuration serve, and says which do not.

At the start one model is enough: a client of this one need not wait for what keeps another from
loading. The original opens no port then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Set

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError
from serving.local.lifecycle.versions import Key, Status, Version, Versions

_GLANCE_SECONDS = 0.2


def wait(
    versions: Versions,
    awaited: Callable[[], Collection[Set[Key]]],
    stopping: threading.Event,
    deadline: Deadline = NO_DEADLINE,
    *,
    one_is_enough: bool = False,
) -> None:
    """Waits until a version of each model is AVAILABLE and no other is yet to be tried.

    Args:
        versions: the table of all versions.
        awaited: gives the versions that are asked for by now, of each model.
        stopping: ends the wait.
        deadline: of the call that waits.
        one_is_enough: whether one model ends the wait for others that were tried once, or of which
            there is nothing to try.

    Raises:
        StatusError: a version failed where none serves (recorded cases 540, 807, 831), or the time
            is over.
    """
    failed: list[str] = []

    def settled(known: Mapping[Key, Version]) -> bool:
        asked = awaited()
        if one_is_enough and _one_serves(known, asked):
            failed.clear()
            return True
        failed[:] = [text for keys in asked for text in _failure(known, keys)]
        return all(_settled(known, keys) for keys in asked)

    while not versions.wait_for(settled, _GLANCE_SECONDS):
        if stopping.is_set():
            return
        deadline.require()
    if failed:
        text = f"{len(failed)} model(s) did not become available: {', '.join(failed)}"
        raise StatusError(Code.UNKNOWN, text)


def _settled(known: Mapping[Key, Version], keys: Set[Key]) -> bool:
    """Whether nothing more will come soon: all were tried, or the newest has failed finally."""
    return bool(_given_up(known, keys)) or (_tried(known, keys) and _serves(known, keys))


def _one_serves(known: Mapping[Key, Version], asked: Collection[Set[Key]]) -> bool:
    """Whether one model serves and is settled, and nothing of any other is yet to be tried."""
    tried = all(_tried(known, keys) for keys in asked)
    return tried and any(_settled(known, keys) and _serves(known, keys) for keys in asked)


def _tried(known: Mapping[Key, Version], keys: Set[Key]) -> bool:
    """Whether every version has been tried once, which is so where there is none."""
    return all(k in known and (known[k].serves or known[k].failures > 0) for k in keys)


def _failure(known: Mapping[Key, Version], keys: Set[Key]) -> list[str]:
    """Why a model does not serve; nothing where it does."""
    newest = [] if _serves(known, keys) else _given_up(known, keys)[:1]
    return [f"{key.model} version {key.version} due to error: {known[key].error}" for key in newest]


def _serves(known: Mapping[Key, Version], keys: Set[Key]) -> bool:
    return any(key in known and known[key].state == Status.AVAILABLE for key in keys)


def _given_up(known: Mapping[Key, Version], keys: Set[Key]) -> list[Key]:
    """The versions that will not come, newest first."""
    return sorted((k for k in keys if k in known and known[k].error is not None), reverse=True)
