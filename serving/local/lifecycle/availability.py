"""Waits until the models of a configuration serve, and says which do not.

At the start one model is enough: a client of this one need not wait for what keeps another from
loading. The original opens no port then.
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
    """How far the versions of a model are.

    Attributes:
        serves: whether one is AVAILABLE.
        tried: whether each has been tried once, which is so where there is none.
        failures: why versions will not come, newest first.
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
    """Waits until a version of each model is AVAILABLE and no other is yet to be tried.

    `awaited` gives the versions that are asked for by now, of each model. Where `one_is_enough`, a
    model that serves ends the wait for others once each of their versions was tried; `stopping`
    ends it in any case. Raises `StatusError` where a version failed of a model that does not serve
    (recorded cases 540, 807, 831), or the time is over.
    """
    failed: list[str] = []

    def settled(known: Mapping[Key, Version]) -> bool:
        models = [_progress(known, keys) for keys in awaited()]
        failed.clear()
        if one_is_enough and all(m.tried for m in models) and any(m.serves for m in models):
            return True
        failed.extend(m.failures[0] for m in models if m.failures and not m.serves)
        # Nothing more will come soon: all were tried, or one has failed finally.
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
