"""What is on disk, what the server has, who gets what, and how it fares: one table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from serving.client import ServingError
from serving.rollout import figures
from serving.rollout.config import Layout
from serving.rollout.disk import accuracy_of
from serving.rollout.errors import Refused
from serving.rollout.figures import Figures, Look
from serving.rollout.site import Site
from serving.traffic import Traffic

_HEADS = (
    "version", "on disk", "state", "labels", "traffic",
    "requests", "errors", "p50 ms", "p95 ms", "accuracy",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One version; None stands for what cannot be told."""

    version: int
    on_disk: bool
    state: str | None
    labels: list[str]
    percent: float | None
    shadow: bool
    figures: Figures | None
    accuracy: float | None


@dataclass(frozen=True)
class Status:
    """All of it.

    Attributes:
        rows: newest version first.
        notes: what does not fit together, and what to do about it.
        seconds: for how long the figures were counted, or None without any.
    """

    model: str
    rows: list[Row]
    notes: list[str]
    seconds: float | None

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)

    def table(self) -> str:
        """For people."""
        lines = [_HEADS, *[_cells(row) for row in self.rows]]
        widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADS))]
        text = ["  ".join(c.ljust(w) for c, w in zip(x, widths, strict=True)) for x in lines]
        since = f", requests of the last {self.seconds:.0f} s" if self.seconds else ""
        return "\n".join([f"{self.model}{since}", *(x.rstrip() for x in text), *self.notes])


def status(site: Site, webapp: str, seconds: int) -> Status:
    """Looks at disk, server and front end.

    Args:
        site: what to look at.
        webapp: the front end's URL; empty for none.
        seconds: of how long to tell its figures, at most 300.

    Raises:
        Refused: the configuration or the folder of the versions cannot be read.
    """
    notes: list[str] = []
    window, counted = _figures(webapp, seconds, notes)
    states = _states(site, notes)
    layout, share = site.layout(), _traffic(site, notes)
    on_disk = site.store.versions()
    numbers = {*on_disk, *(states or {}), *layout.versions}

    def row(number: int) -> Row:
        path = on_disk.get(number)
        return Row(
            version=number,
            on_disk=path is not None,
            state=states.get(number, "not loaded") if states is not None else None,
            labels=layout.labels_of(number),
            percent=_percent(number, layout, share) if share is not None else None,
            shadow=share is not None and share.shadow and number == share.canary,
            figures=window.of(number) if window is not None else None,
            accuracy=accuracy_of(path) if path is not None else None,
        )

    rows = [row(number) for number in sorted(numbers, reverse=True)]
    if states is not None:
        notes += _differences(site, layout, states)
    cut_off = site.history.unfinished()
    if cut_off is not None:
        notes.append(f"`{cut_off}` is under way, or was cut off: the same call again finishes it.")
    return Status(site.config.model, rows, notes, counted)


def _percent(version: int, layout: Layout, share: Traffic) -> float:
    """Share of the clients; for a moment of a promotion, canary and stable are one version."""
    tries = share.percent if share.canary is not None else 0.0
    return tries * (version == share.canary) + (100.0 - tries) * (version == layout.stable)


def _figures(webapp: str, seconds: int, notes: list[str]) -> tuple[Look | None, float | None]:
    if not webapp:
        return None, None
    try:
        return figures.look_back(webapp, seconds)
    except Refused as error:
        notes.append(str(error))
        return None, None


def _states(site: Site, notes: list[str]) -> dict[int, str] | None:
    try:
        return {number: status.state for number, status in site.server.states().items()}
    except ServingError as error:
        notes.append(_silent(site, error))
        return None


def _traffic(site: Site, notes: list[str]) -> Traffic | None:
    try:
        return site.traffic()
    except Refused as error:
        notes.append(str(error))
        return None


def _differences(site: Site, layout: Layout, states: dict[int, str]) -> list[str]:
    """Where the server does not have what the file says, be it for a moment only."""
    found = []
    for number in sorted(layout.versions):
        if states.get(number) != "AVAILABLE":
            state = states.get(number, "not loaded")
            found.append(f"Version {number} is to be loaded, and its state is {state}.")
    loaded = {number for number, state in states.items() if state == "AVAILABLE"}
    found += [
        f"Version {number} is loaded, and the configuration does not ask for it."
        for number in sorted(loaded - layout.versions)
    ]
    return found + _astray(site, layout)


def _astray(site: Site, layout: Layout) -> list[str]:
    """The labels that lead elsewhere on the server."""
    try:
        answers = {label: site.server.version_of(label) for label in layout.labels}
    except ServingError as error:
        return [_silent(site, error)]
    return [
        f"{label} is version {number} in the file, {answers[label]} on the server."
        for label, number in sorted(layout.labels.items())
        if answers[label] != number
    ]


def _silent(site: Site, error: ServingError) -> str:
    return f"The model server at {site.server.url} cannot be asked: {error}"


def _cells(row: Row) -> tuple[str, ...]:
    counts = row.figures
    return (
        str(row.version),
        "yes" if row.on_disk else "no",
        row.state or "?",
        ", ".join(row.labels) or "-",
        _share(row),
        str(counts.requests) if counts else "?",
        str(counts.errors) if counts else "?",
        _milliseconds(counts.p50 if counts else None),
        _milliseconds(counts.p95 if counts else None),
        f"{row.accuracy:.1%}" if row.accuracy is not None else "-",
    )


def _share(row: Row) -> str:
    if row.percent is None:
        return "?"
    return (f"{row.percent:g} %" if row.percent else "-") + (" + shadow" if row.shadow else "")


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f}"
