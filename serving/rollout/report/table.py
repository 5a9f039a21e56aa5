"""The status of a deployment as one table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from serving.rollout.report.status import Row, Status

_HEADS = (
    "labels", "traffic", "requests", "errors", "p50 ms", "p95 ms", "accuracy",
)  # fmt: skip
_MOST_COLUMNS = 8


def table(of: Status) -> str:
    """Formats a status as text: a line for each version, with the notes below."""
    columns = of.servers if 1 < len(of.servers) <= _MOST_COLUMNS else ()
    states = [url.rpartition("/")[2] for url in columns] or ["state"]
    heads = ("version", "on disk", *states, *_HEADS)
    lines = [heads, *[_cells(row, columns) for row in of.rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    text = ["  ".join(c.ljust(w) for c, w in zip(x, widths, strict=True)) for x in lines]
    since = f", requests of the last {of.seconds:.0f} s" if of.seconds else ""
    sharing = [of.sharing] if of.sharing else []
    below = [*_measured(of.rows), *sharing, *of.judged, *of.notes, *of.others]
    return "\n".join([f"{of.model}{since}", *(x.rstrip() for x in text), *below])


def _cells(row: Row, columns: Sequence[str]) -> tuple[str, ...]:
    counts = row.figures
    states = [row.states.get(url) for url in columns] or [row.state]
    return (
        str(row.version),
        "yes" if row.on_disk else "no",
        *(state or "?" for state in states),
        ", ".join(row.labels) or "-",
        _traffic(row),
        str(counts.requests) if counts else "?",
        str(counts.errors) if counts else "?",
        _milliseconds(counts.p50 if counts else None),
        _milliseconds(counts.p95 if counts else None),
        f"{row.accuracy:.1%}" if row.accuracy is not None else "-",
    )


def _measured(rows: Sequence[Row]) -> list[str]:
    """Returns what the accuracies were measured on; only those on the same pictures compare."""
    pictures = dict.fromkeys(row.measured_on for row in rows if row.measured_on)
    of = {what: [str(row.version) for row in rows if row.measured_on == what] for what in pictures}
    told = [f"of {' and '.join(versions)} on {what}" for what, versions in of.items()]
    return [f"Accuracy: {'; '.join(told)}."] if told else []


def _traffic(row: Row) -> str:
    if row.percent is None:
        return "?"
    return (f"{row.percent:g} %" if row.percent else "-") + (" + shadow" if row.shadow else "")


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f}"
