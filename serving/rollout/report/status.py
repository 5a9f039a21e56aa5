"""Versions on disk and on the servers, their labels, traffic and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from serving.client import ServingError
from serving.rollout.analysis.limits import CanaryLimits
from serving.rollout.errors import Refused
from serving.rollout.remote.figures import Figures, Snapshot
from serving.rollout.remote.source import Source
from serving.rollout.report.differences import (
    States,
    differences,
    front_ends_astray,
    reported,
    silent,
    untrusted,
)
from serving.rollout.report.other_models import others
from serving.rollout.state.card import accuracy_of
from serving.rollout.state.config import Layout
from serving.rollout.state.deployment import Deployment
from serving.traffic import BY_CLIENT, Traffic


@dataclass(frozen=True)
class Row:
    """One version; None stands for an unknown value.

    Attributes:
        state: on all servers; where they differ, the commonest one and how many servers have it.
        accuracy: share of right answers, from the version's card.
        measured_on: the pictures on which the accuracy was measured.
        states: state by server URL, if there are several servers.
    """

    version: int
    on_disk: bool
    state: str | None
    labels: list[str]
    percent: float | None
    shadow: bool
    figures: Figures | None
    accuracy: float | None
    measured_on: str | None
    states: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Status:
    """The status of a deployment.

    Attributes:
        rows: newest version first.
        notes: problems, and what to do about them.
        seconds: for how long the figures were counted, or None without figures.
        sharing: how a trial's share is counted, or None without a trial.
        servers: the URLs of the servers.
        judged: what the figures prove about the canary, by the default limits of `watch`.
        others: a line about each other model of the site.
    """

    model: str
    rows: list[Row]
    notes: list[str]
    seconds: float | None
    sharing: str | None = None
    servers: Sequence[str] = ()
    judged: Sequence[str] = ()
    others: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns the status as a JSON object."""
        return asdict(self)


def status(deployment: Deployment, source: Source | None, seconds: int) -> Status:
    """Reads the state of disk, servers and front ends.

    Args:
        deployment: the files and the servers.
        source: the source of the figures, or None.
        seconds: the time that the figures cover, at most 300.

    Raises:
        Refused: the configuration or the folder of the versions cannot be read.
    """
    notes: list[str] = []
    window, counted = _figures(source, seconds, notes)
    states, servers = _states(deployment, notes)
    layout, split = deployment.layout(), _traffic(deployment, notes)
    notes += front_ends_astray(source, split)
    on_disk = deployment.store.versions()
    numbers = {*on_disk, *(n for of_one in states.values() for n in of_one), *layout.versions}

    def row(number: int) -> Row:
        path = on_disk.get(number)
        accuracy = accuracy_of(path) if path is not None else None
        return Row(
            version=number,
            on_disk=path is not None,
            state=_state(number, states, servers),
            states=_by_server(number, states, servers) if len(servers) > 1 else {},
            labels=layout.labels_of(number),
            percent=_percent(number, layout, split) if split is not None else None,
            shadow=split is not None and split.shadow and number == split.canary,
            figures=window.of(number) if window is not None else None,
            accuracy=accuracy.share if accuracy else None,
            measured_on=accuracy.pictures if accuracy else None,
        )

    rows = [row(number) for number in sorted(numbers, reverse=True)]
    if states:
        notes += differences(deployment, layout, states, on_disk, servers)
    notes += untrusted(deployment, layout, on_disk)
    cut_off = deployment.history.unfinished()
    if cut_off is not None:
        # A title of `watch` is no call, and the watch itself goes on.
        again = "." if cut_off.startswith("watch:") else ": the same call again finishes it."
        notes.append(f"`{cut_off}` is under way, or was cut off{again}")
    judged = _judged(split, layout, window)
    sharing, beside = _sharing(split), others(deployment)
    return Status(deployment.config.model, rows, notes, counted, sharing, servers, judged, beside)


def _judged(split: Traffic | None, layout: Layout, counted: Snapshot | None) -> list[str]:
    """Returns what `watch` would report about the canary."""
    if split is None or split.canary is None or counted is None:
        return []
    claims = CanaryLimits().claims(counted, split.canary, layout.stable)
    return [f"Version {split.canary}: {claim}." for claim in claims]


def _percent(version: int, layout: Layout, split: Traffic) -> float:
    """Returns a version's percent; briefly in a promotion, canary and stable are one version."""
    tries = split.percent if split.canary is not None else 0.0
    return tries * (version == split.canary) + (100.0 - tries) * (version == layout.stable)


def _sharing(split: Traffic | None) -> str | None:
    if split is None or split.canary is None or not split.percent:
        return None
    counted = f"Version {split.canary} is given {split.percent:g} % by {split.by}"
    if split.by == BY_CLIENT:
        counted += "; callers without a cookie from one address all go to one side (--by request)"
    return f"{counted}."


def _figures(
    source: Source | None, seconds: int, notes: list[str]
) -> tuple[Snapshot | None, float | None]:
    if source is None:
        return None, None
    try:
        found = source.look_back(seconds)
        notes += source.silent
        return found
    except Refused as error:
        notes.append(str(error))
        return None, None


def _states(deployment: Deployment, notes: list[str]) -> tuple[States, list[str]]:
    """Returns the states on the servers that answer, and the URLs of all servers."""
    try:
        states, away, servers = reported(deployment)
    except ServingError as error:
        notes.append(silent(deployment.server.url, error))
        return {}, []
    notes += away
    return states, servers


def _by_server(number: int, states: States, servers: Sequence[str]) -> dict[str, str | None]:
    return {
        url: states[url].get(number, "not loaded") if url in states else None for url in servers
    }


def _state(number: int, states: States, servers: Sequence[str]) -> str | None:
    counts = Counter(of_one.get(number, "not loaded") for of_one in states.values())
    if not counts:
        return None
    ((commonest, count),) = counts.most_common(1)
    return commonest if count == len(servers) else f"{commonest} on {count} of {len(servers)}"


def _traffic(deployment: Deployment, notes: list[str]) -> Traffic | None:
    try:
        return deployment.traffic()
    except Refused as error:
        notes.append(str(error))
        return None
