"""Compares the front end with the peers: the table and the targets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.names import FASTAPI, FRONT_END, LOCAL_SERVER, contender_name
from bench.report.figures import Spread, ratio, spread
from bench.report.targets import Figures, Target, exactly, least, most, number

PHOTOS = ("224 px", "1 megapixel")
_WANTED = {"224 px": (1.15, 1.10), "1 megapixel": (1.10, 1.20)}
"""Targets with bfloat16, as ratios to FastAPI: the least answers a second with eight clients, and
the most p50 with one client."""
_WANTED_FLOAT32 = 0.95
"""Target without bfloat16: the least ratio of the front end's answers a second to FastAPI's."""


def servers(figures: Figures) -> list[str]:
    """Returns the names of our one or two front ends, then of the peers."""
    return [*figures.document["front_ends"], *figures.document["peers"]]


def cells(figures: Figures) -> list[list[str]]:
    """Returns a row per server: name, time and rate by photo for one and eight clients, memory."""
    return [[name, *_cells(figures, name)] for name in servers(figures)]


def _cells(figures: Figures, name: str) -> Iterator[str]:
    for photo in PHOTOS:
        for clients in (1, 8):
            p50 = spread(figures.p50(contender_name(name, photo), clients)).median
            rate = spread(figures.rate(contender_name(name, photo), clients)).median
            yield f"{number(p50)} ms; {number(rate)}/s"
    yield number(_megabytes(figures, name))


def _megabytes(figures: Figures, name: str) -> float:
    """Returns a server's peak memory; of ours that of both tiers.

    The long load is that of the first pair alone.
    """
    systems, front_ends = figures.document["systems"], figures.document["front_ends"]
    if name not in front_ends:
        return float(systems[name]["peak"])
    memory = figures.document["long"]["memory"]
    if name != front_ends[0]:
        memory = {tier: system["peak"] for tier, system in systems.items()}
    server = name.replace(FRONT_END, LOCAL_SERVER)
    return float(memory[name] + memory[server])


def targets(figures: Figures) -> list[Target]:
    """Returns the targets of the front end relative to each peer, and of its tail latency."""
    names = figures.document["front_ends"]
    parts = list(_over_fastapi(figures)) if figures.document["precision"] == "bfloat16" else []
    for photo in PHOTOS:
        # The last front end is the one in float32, or the only one.
        rate = _faster(figures, photo, FASTAPI, names[-1])
        measure = f"{photo}, 8 clients, in float32, answers/s over {FASTAPI}"
        parts.append(least(measure, _WANTED_FLOAT32, rate))
    for other in figures.document["peers"]:
        if other != FASTAPI:
            # In contrast to the built-in minimum, NaN if one is NaN.
            worst = exactly(float(np.min([*_advantages(figures, other)])))
            parts.append(
                least(
                    f"over {other}, answers/s or one client's speed, the worst of both photos",
                    1,
                    worst,
                )
            )
    eight = figures.served(contender_name(FRONT_END, "224 px"), 8)
    tail = ratio([each.p99 for each in eight], [each.p50 for each in eight])
    return [*parts, most("224 px, 8 clients, p99 over p50", 2, tail)]


def _over_fastapi(figures: Figures) -> Iterator[Target]:
    for photo, (rate, time) in _WANTED.items():
        measure = f"{photo}, 8 clients, answers/s over {FASTAPI}"
        yield least(measure, rate, _faster(figures, photo, FASTAPI))
        measure = f"{photo}, 1 client, p50 over {FASTAPI}"
        yield most(measure, time, _slower(figures, photo, FASTAPI))


def _advantages(figures: Figures, other: str) -> Iterator[float]:
    for photo in PHOTOS:
        yield _faster(figures, photo, other).median
        yield 1 / _slower(figures, photo, other).median


def _faster(figures: Figures, photo: str, other: str, ours: str = FRONT_END) -> Spread:
    """Returns the ratio of our answers a second to those of another server, with eight clients."""
    return ratio(
        figures.rate(contender_name(ours, photo), 8), figures.rate(contender_name(other, photo), 8)
    )


def _slower(figures: Figures, photo: str, other: str) -> Spread:
    return ratio(
        figures.p50(contender_name(FRONT_END, photo)), figures.p50(contender_name(other, photo))
    )
