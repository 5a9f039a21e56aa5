"""The commands that change what is served: canary, promote, rollback, retire.

All keep one order, the only one in which no request fails: load, wait until AVAILABLE, try, then
move the label, then the share of the clients; and back: the share, the label, then unload.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from serving.rollout import memory, require
from serving.rollout.config import CANARY, PREVIOUS, STABLE, Layout
from serving.rollout.disk import digest_of
from serving.rollout.errors import Refused
from serving.rollout.server import AWAY
from serving.rollout.site import LOAD_SECONDS, Site
from serving.rollout.steps import Command, Step
from serving.rollout.trial import check_files, compare_on_server
from serving.traffic import NO_CANARY, Traffic

_CONFIRM_SECONDS = 5.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Limits:
    """What a version must keep to before it gets requests.

    Attributes:
        latency_ratio: how many times as long as stable it may take, medians of one client.
        force: load it also where memory may not hold it.
    """

    latency_ratio: float = 2.0
    force: bool = False


def canary(site: Site, title: str, wanted: Traffic, limits: Limits) -> Command:
    """Loads a version beside stable, tries it, and gives it a share of the clients.

    Raises:
        Refused: another version is on trial, or this one is stable.
    """
    version = wanted.canary
    layout = site.layout()
    if version is None or version == layout.stable:
        raise Refused(f"Version {version} is stable already.")
    require.no_other_trial(layout, version)
    return Command(
        title,
        [
            *_get_ready(site, title, version, limits),
            # Whoever tries the next version is content with stable: what it replaced is not kept
            # for rollback any longer, so that `rollback` always has one meaning.
            Step("labels", _relabel(site, **{CANARY: version, PREVIOUS: None})),
            Step("share of the clients", lambda: _share(site, wanted)),
        ],
        _restore(site),
    )


def promote(site: Site, title: str, version: int, limits: Limits) -> Command:
    """Makes a version stable; the one before stays loaded and is labelled `previous`.

    Raises:
        Refused: another version is on trial.
    """
    layout = site.layout()
    require.no_other_trial(layout, version)
    old = layout.stable
    moved: dict[str, int | None] = {STABLE: version, CANARY: None}
    if old not in (None, version):
        moved[PREVIOUS] = old
    return Command(
        title,
        [
            *_get_ready(site, title, version, limits),
            Step("labels", _relabel(site, **moved)),
            # Later than the label: the canary's clients stay with the version that they have.
            Step("share of the clients", lambda: _share(site, NO_CANARY)),
            Step("ask for stable", lambda: _confirm(site, version)),
        ],
        _restore(site),
    )


def rollback(site: Site, title: str) -> Command:
    """Takes back the last thing done: ends the trial, or gives `stable` to the version before.

    Labels and shares only, nothing is loaded. There is no undo: going back is always right, and a
    server that cannot be told reads the file when it is back.

    Raises:
        Refused: the version before does not serve any more.
    """
    labels = site.layout().labels
    back: dict[str, int | None] = {CANARY: None}
    if CANARY not in labels and PREVIOUS in labels:
        require.loaded(site, labels[PREVIOUS])
        back |= {STABLE: labels[PREVIOUS], PREVIOUS: None}
    return Command(
        title,
        [
            Step("share of the clients", lambda: _share(site, NO_CANARY)),
            Step("labels", _relabel(site, **back)),
        ],
    )


def retire(site: Site, title: str, version: int, *, delete: bool) -> Command:
    """Unloads a version; its files stay unless they are to go.

    Raises:
        Refused: it is stable or on trial, the last one that is loaded, or it never was.
    """
    require.retirable(site, version)
    if not delete:
        site.store.path(version)
    steps = [
        Step("no longer asked for", _change(site, lambda now: now.without_version(version))),
        Step("unload after its last request", lambda: _unload(site, version)),
    ]
    if delete:
        steps.append(Step("delete its files", lambda: site.store.delete(version)))
    return Command(title, steps)


def _get_ready(site: Site, title: str, version: int, limits: Limits) -> list[Step]:
    return [
        Step("check its files", lambda: _check(site, title, version)),
        Step("room in memory", lambda: _require_room(site, version, limits.force)),
        Step("load", lambda: _load(site, version)),
        Step("try it on the server", lambda: _try(site, version, limits.latency_ratio)),
    ]


def _check(site: Site, title: str, version: int) -> str:
    """Also of a version that nobody published by this tool: a server may not survive a bad one."""
    return str(check_files(site, site.store.path(version), title))


def _require_room(site: Site, version: int, force: bool) -> str:
    status = site.server.states().get(version)
    if status is not None and status.state == "AVAILABLE":
        return "loaded already"
    check = site.history.check_of(digest_of(site.store.path(version)))
    if check is None:
        raise Refused("Its files have changed since they were checked.")
    return memory.require_room(check.growth_bytes, None if force else memory.free_bytes())


def _load(site: Site, version: int) -> str:
    site.apply(site.layout().with_version(version))
    site.server.wait_until_available(version, LOAD_SECONDS)
    return "AVAILABLE and warm"


def _try(site: Site, version: int, largest_ratio: float) -> str:
    if site.layout().labels_of(version):
        return "serves already"
    return compare_on_server(site, version, largest_ratio)


def _relabel(site: Site, **labels: int | None) -> Callable[[], str]:
    return _change(site, lambda now: now.with_labels(**labels))


def _change(site: Site, change: Callable[[Layout], Layout]) -> Callable[[], str]:
    def do() -> str:
        before = site.layout()
        after = change(before)
        site.apply(after)
        return _difference(before, after)

    return do


def _difference(before: Layout, after: Layout) -> str:
    names = sorted({*before.labels, *after.labels})
    moved = [(name, before.labels.get(name), after.labels.get(name)) for name in names]
    said = [_moved(name, old, new) for name, old, new in moved if old != new]
    return ", ".join(said) or "nothing to change"


def _moved(label: str, old: int | None, new: int | None) -> str:
    if new is None:
        return f"no {label} (was {old})"
    return f"{label} is {new}" + (f" (was {old})" if old is not None else "")


def _share(site: Site, wanted: Traffic) -> str:
    site.share(wanted)
    if wanted.canary is None:
        return "stable answers all"
    copies = ", and copies of the others' requests" if wanted.shadow else ""
    return f"version {wanted.canary} answers {wanted.percent:g} %{copies}"


def _confirm(site: Site, version: int) -> str:
    # A server that read the old file just before it was told finds out at its next look.
    deadline = time.monotonic() + _CONFIRM_SECONDS
    while (found := _answering(site)) != f"version {version} answers":
        if time.monotonic() > deadline:
            raise Refused(f"Expected that version {version} answers. Found: {found}.")
        time.sleep(_LOOK_SECONDS)
    return found


def _answering(site: Site) -> str:
    try:
        return f"version {site.server.version_of(STABLE)} answers"
    except AWAY as error:
        return f"no answer, {error}"


def _unload(site: Site, version: int) -> str:
    site.server.wait_until_gone(version, LOAD_SECONDS)
    return "unloaded"


def _restore(site: Site) -> Callable[[], None]:
    """Puts labels, versions and shares back, in the order of a rollback."""
    layout, traffic = site.layout(), _known_traffic(site)

    def undo() -> None:
        site.share(traffic)
        # A server that is away reads the file when it is back.
        with suppress(*AWAY):
            site.apply(layout)

    return undo


def _known_traffic(site: Site) -> Traffic:
    """What to go back to; a file that nobody understands is no reason to do nothing."""
    try:
        return site.traffic()
    except Refused:
        return NO_CANARY
