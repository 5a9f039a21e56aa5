"""Writes the tables of docs/performance.md, and keeps the hand-written text around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.names import crowd
from bench.report import peers, texts
from bench.report.figures import Slice, Spread, ratio, spread
from bench.report.targets import RIVALS, Figures, format_spread, number, targets

BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"
CLIENTS = (1, 8, 64)
ENGINES = {
    "signature": "shipped signature, bare",
    "session": "the same in a session, with the local server's allocator",
    "session_bfloat16": "the same in bfloat16",
    "split_operations": "shipped signature, each operation split among threads",
    "serve_bytes": "shipped `serve_bytes`, bare, of a 224 px JPEG",
    **RIVALS,
    "keras": "Keras, `predict`",
}
PEERS_HEAD = (
    *("server", "224 px, 1 client", "224 px, 8 clients", "1 megapixel, 1 client"),
    *("1 megapixel, 8 clients", "peak memory MB"),
)


def write(document: dict[str, Any], path: Path) -> None:
    """Puts the tables between the two marks of the page.

    Raises:
        ValueError: the page has no such marks.
    """
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path} needs the lines {BEGIN} and {END}.")
    path.write_text(f"{before}{BEGIN}\n{tables(document)}\n{END}{after}", encoding="utf-8")


def tables(document: dict[str, Any]) -> str:
    """Returns the text between the marks, from the parsed file of figures."""
    figures = Figures(document)
    parts = [
        _about(document),
        "## What people would pick instead",
        texts.PEERS_PLOT,
        _table(PEERS_HEAD, peers.cells(figures)),
        texts.ABOUT_PEERS,
        "## Targets and results",
        _targets(figures),
        texts.ABOUT_TARGETS,
        "## Answers, side by side",
        texts.SIDE_BY_SIDE_PLOT,
        _answers(figures),
        "## In one's own process",
        _engines(figures),
        texts.ABOUT_ENGINES,
        "## What a request costs",
        _costs(figures),
        "## What it takes to run",
        _systems(document),
        texts.ABOUT_SYSTEMS,
        "## Where the time goes",
        _spent(document),
        "## As the work grows",
        _growth(document),
    ]
    return "\n\n".join(parts)


def _about(document: dict[str, Any]) -> str:
    machine = document["machine"]
    libraries = ", ".join(f"{name} {number}" for name, number in machine["libraries"].items())
    rounds = len(next(iter(document["looped"].values()))["1"])
    return (
        f"Version {document['version']} in {document['precision']} on {machine['cores']} cores"
        f" ({machine['processor']}), Python {machine['python']}, {libraries}."
        f" Load average before the run: {machine['load_before']:.2f}."
        f" Rounds: {rounds}; {document['minutes']:.1f} minutes. Each figure is the median over the"
        " rounds, with the lowest and the highest in brackets; a ratio is taken within each round."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _targets(figures: Figures) -> str:
    rows = [
        [each.measure, each.wanted, each.found, "yes" if each.held else "**no**"]
        for each in (*peers.targets(figures), *targets(figures))
    ]
    return _table(["measure", "wanted", "found", "held"], rows)


def _answers(figures: Figures) -> str:
    rows = []
    for name in figures.document["served"]:
        for clients in CLIENTS:
            slices = figures.served(name, clients)
            times = [_cell(slices, "p50"), _median(slices, "p95"), _median(slices, "p99")]
            refused = sum(each.failed for each in slices)
            rows.append([name, str(clients), *times, _cell(slices, "rate"), str(refused)])
    head = ["contender and request", "clients", "p50 ms", "p95 ms", "p99 ms", "answers/s"]
    return _table([*head, "refused or failed"], rows)


def _engines(figures: Figures) -> str:
    rows = []
    for engine, name in ENGINES.items():
        if engine not in figures.document["looped"]:
            continue
        one, two = figures.looped(engine, 1), figures.looped(engine, 2)
        over = ratio(figures.baseline(engine), figures.baseline())
        times = [_cell(one, "p50"), _median(one, "p95"), _median(one, "p99"), format_spread(over)]
        rows.append([name, *times, _cell(two, "rate"), _median(one, "cpu")])
    head = ["engine, one picture at a time", "p50 ms", "p95 ms", "p99 ms", "over the signature"]
    return _table([*head, "answers/s, 2 callers", "processor ms"], rows)


def _costs(figures: Figures) -> str:
    rows = []
    for name in figures.document["served"]:
        slices = [figures.served(name, clients) for clients in CLIENTS]
        one = slices[0][-1]
        cpu = [_median(each, "cpu") for each in slices]
        rows.append([name, *cpu, f"{one.sent:,}", f"{one.received:,}"])
    head = [f"processor ms, {crowd(clients)}" for clients in CLIENTS]
    return _table(["contender and request", *head, "bytes sent", "bytes back"], rows)


def _systems(document: dict[str, Any]) -> str:
    rows = [
        [name, number(each["seconds"], 2), number(each["peak"])]
        for name, each in document["systems"].items()
    ]
    return _table(["system", "seconds from start to ready", "peak memory MB"], rows)


def _spent(document: dict[str, Any]) -> str:
    spent = document["spent"]
    stages = list(next(iter(spent.values())))
    rows = [
        [name, *(number(each[stage]) for stage in stages), number(sum(each.values()))]
        for name, each in spent.items()
    ]
    head = ["mean ms of an answer", *stages, "together"]
    return _table(head, rows)


def _growth(document: dict[str, Any]) -> str:
    grown = document["grown"]
    clients = [
        [size, *(number(x) for x in (each.p50, each.p99, each.rate)), str(each.failed)]
        for size, each in _slices(grown["clients"])
    ]
    batches = [
        [size, number(served.p50), number(served.p50 / int(size)), number(bare.p50)]
        for (size, served), (_, bare) in zip(
            _slices(grown["batches"]), _slices(grown["in_process"]), strict=True
        )
    ]
    photos = [
        [size, f"{each.sent / 1000:,.0f}", number(each.p50), number(each.cpu)]
        for size, each in _slices(grown["megapixels"])
    ]
    plots = "![Clients, batches and photos against time](performance/growth.svg)"
    return "\n\n".join(
        [
            plots,
            _table(["clients", "p50 ms", "p99 ms", "answers/s", "refused or failed"], clients),
            _table(["batch", "gRPC, p50 ms", "a picture, ms", "bare signature, p50 ms"], batches),
            _table(["megapixels", "kB", "front end, p50 ms", "processor ms"], photos),
        ]
    )


def _slices(by_size: dict[str, list[Any]]) -> list[tuple[str, Slice]]:
    return [(size, Slice(*each)) for size, each in by_size.items()]


def _spread(slices: Sequence[Slice], figure: str) -> Spread:
    """Returns the spread of a field of `Slice` over the rounds."""
    return spread([getattr(each, figure) for each in slices])


def _cell(slices: Sequence[Slice], figure: str) -> str:
    return format_spread(_spread(slices, figure))


def _median(slices: Sequence[Slice], figure: str) -> str:
    return number(_spread(slices, figure).median)
