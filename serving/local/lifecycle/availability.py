"""Waits until the models of a configuration serve, and reports those that do not.

At the start one serving model is enough, so that its clients need not wait for a model that does
not load. The original opens no port in this case.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Set
from typing import NamedTuple

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError
from serving.local.lifecycle.versions import Key, Status, Version, Versions

_GLANCE_SECONDS = 0.2


class _Progress(NamedTuple):
    """The load progress of a model's versions.

    Attributes:
        serves: whether a version is AVAILABLE.
        tried: whether the load of each version was tried; true without versions.
        failures: errors of the versions that have failed for good, newest version first.
    """

    serves: bool
    tried: bool
    failures: list[str]


def wait(
    versions: Versions,
    awaited: Callable[[], Collection[Set[Key]]],
    stopping: threading.Event,
    deadline: Deadline = NO_DEADLINE,
    *,
    one_is_enough: bool = False,
) -> None:
    """Waits until each model has an AVAILABLE version and each of its versions was tried.

    `awaited` returns the versions of each model that are wanted now. If `one_is_enough`, one model
    that serves ends the wait once all versions of all models were tried; `stopping` always ends the
    wait. Raises `StatusError` if the deadline passes, or if a version fails of a model that does
    not serve (recorded cases 540, 807, 831).
    """
    failed: list[str] = []

    def settled(known: Mapping[Key, Version]) -> bool:
        models = [_progress(known, keys) for keys in awaited()]
        failed.clear()
        if one_is_enough and all(m.tried for m in models) and any(m.serves for m in models):
            return True
        failed.extend(m.failures[0] for m in models if m.failures and not m.serves)
        # Each model has a version that failed for good, or serves with all versions tried.
        return all(m.failures or (m.tried and m.serves) for m in models)

    while not versions.wait_for(settled, _GLANCE_SECONDS):
        if stopping.is_set():
            return
        deadline.require()
    if failed:
        text = f"{len(failed)} model(s) did not become available: {', '.join(failed)}"
        raise StatusError(Code.UNKNOWN, text)


def _progress(known: Mapping[Key, Version], keys: Set[Key]) -> _Progress:
    there = {key: known[key] for key in sorted(keys, reverse=True) if key in known}
    return _Progress(
        serves=any(v.state == Status.AVAILABLE for v in there.values()),
        tried=len(there) == len(keys) and all(v.serves or v.failures for v in there.values()),
        failures=[
            f"{key.model} version {key.version} due to error: {version.error}"
            for key, version in there.items()
            if version.error is not None
        ],
    )
