"""The plots of docs/performance.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from bench.names import contender_name
from bench.report import peers
from bench.report.figures import Slice, spread
from bench.report.targets import Figures

SIDE_BY_SIDE = "side_by_side.svg"
GROWTH = "growth.svg"
PEERS = "peers.svg"
_COLOURS = {"224 px": "#4a7c59", "1 megapixel": "#a9c5b1"}
# With these, equal figures give equal files, and text can be searched.
_SETTINGS: dict[Any, Any] = {"svg.hashsalt": "us-bills", "svg.fonttype": "none", "font.size": 9}


def write(document: dict[str, Any], folder: Path) -> None:
    """Draws the plots into the folder."""
    mpl.use("Agg")
    with mpl.rc_context(_SETTINGS):
        _save(_side_by_side(Figures(document)), folder / SIDE_BY_SIDE)
        _save(_peers(Figures(document)), folder / PEERS)
        _save(_growth(document["grown"]), folder / GROWTH)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    # Matplotlib ends some lines with a space.
    text = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")


def _side_by_side(figures: Figures) -> Any:
    names = list(figures.document["served"])
    size = (9, 1.2 + 0.32 * len(names))
    figure, (times, rates) = plt.subplots(1, 2, figsize=size, sharey=True, layout="constrained")
    rows = {"bare signature": figures.baseline()}
    rows |= {name: figures.p50(name) for name in names}
    _bars(times, rows, "p50 of one client, ms")
    rows = {"bare signature": figures.baseline_rate()}
    rows |= {name: figures.rate(name, 8) for name in names}
    _bars(rates, rows, "answers a second, 8 clients (bare: 2 callers)")
    times.invert_yaxis()
    return figure


def _bars(axes: Axes, rows: dict[str, list[float]], label: str) -> None:
    spreads = [spread(values) for values in rows.values()]
    middle = [each.median for each in spreads]
    apart = [
        [each.median - each.low for each in spreads],
        [each.high - each.median for each in spreads],
    ]
    axes.barh(list(rows), middle, xerr=apart, color="#4a7c59", ecolor="#222", capsize=2)
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)


def _peers(figures: Figures) -> Any:
    names = peers.servers(figures)
    size = (9, 1.1 + 0.45 * len(names))
    figure, (times, rates) = plt.subplots(1, 2, figsize=size, sharey=True, layout="constrained")
    for number, photo in enumerate(peers.PHOTOS):
        rows = [contender_name(name, photo) for name in names]
        p50 = [spread(figures.p50(row)).median for row in rows]
        rate = [spread(figures.rate(row, 8)).median for row in rows]
        places = [place + 0.4 * (number - 0.5) for place in range(len(names))]
        for axes, values in ((times, p50), (rates, rate)):
            bars = axes.barh(places, values, 0.38, color=_COLOURS[photo], label=f"{photo} JPEG")
            axes.bar_label(bars, fmt="%.3g", padding=2)
            axes.spines[["top", "right"]].set_visible(False)
    times.set_yticks(range(len(names)), names)
    times.set_xlabel("ms of an answer, 1 client")
    rates.set_xlabel("answers a second, 8 clients")
    times.invert_yaxis()
    handles, labels = rates.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside upper center", ncols=2)
    return figure


def _growth(grown: dict[str, Any]) -> Any:
    figure, (clients, batches, photos) = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
    _lines(clients, grown["clients"], {"p50": 0, "p99": 2}, "clients", "ms of an answer")
    _lines(batches, grown["batches"], {"gRPC": 0}, "pictures in a batch", "ms of a batch")
    _lines(
        batches, grown["in_process"], {"bare signature": 0}, "pictures in a batch", "ms of a batch"
    )
    _lines(photos, grown["megapixels"], {"front end, p50": 0}, "megapixels", "ms of an answer")
    return figure


def _lines(
    axes: Axes, by_size: dict[str, list[Any]], fields: dict[str, int], x: str, y: str
) -> None:
    sizes = [float(size) for size in by_size]
    for name, field in fields.items():
        values = [Slice(*each)[field] for each in by_size.values()]
        axes.loglog(sizes, values, marker="o", markersize=3, label=name)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(frameon=False)
