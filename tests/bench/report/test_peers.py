"""The page's statements about other servers match the measured rounds."""

import math
from typing import Any

import pytest

from bench.names import FASTAPI, contender_name
from bench.report import peers
from bench.report.targets import Figures

SLOW = "LitServe + ONNX Runtime"
SPEEDS = {"front end": 1.0, "front end in float32": 0.8, FASTAPI: 0.9, SLOW: 0.5}
"""How many times as fast as 10 ms and 100 answers a second each is, in both rounds."""


def rounds(speed: float, clients: int) -> list[list[float]]:
    """Two rounds; the machine is twice as slow in the second, for everybody."""
    p50 = 10 * clients / speed
    slices = [[p50, 2 * p50, 3 * p50, 100 * speed, 1.0]]
    return [*slices, [2 * p50, 4 * p50, 6 * p50, 50 * speed, 1.0]]


def document(precision: str, *front_ends: str) -> dict[str, Any]:
    return {
        "precision": precision,
        "front_ends": list(front_ends),
        "peers": [FASTAPI, SLOW],
        "systems": {name: {"peak": 300.0} for name in (*SPEEDS, "local server in float32")},
        "long": {"memory": {"front end": 200.0, "local server": 800.0, "worker": 100.0}},
        "served": {
            contender_name(name, photo): {str(n): rounds(speed, n) for n in (1, 8)}
            for name, speed in SPEEDS.items()
            for photo in peers.PHOTOS
        },
    }


BFLOAT16 = Figures(document("bfloat16", "front end", "front end in float32"))
FLOAT32 = Figures(document("float32", "front end"))


def found(figures: Figures) -> dict[str, tuple[str, bool]]:
    return {each.measure: (each.found, each.held) for each in peers.targets(figures)}


def test_a_row_has_time_and_rate_for_both_photos_and_the_memory() -> None:
    assert peers.cells(FLOAT32)[0] == [
        "front end",
        *("15 ms; 75/s", "120 ms; 75/s"),
        *("15 ms; 75/s", "120 ms; 75/s"),
        "1,000",
    ]
    assert peers.cells(FLOAT32)[1][-1] == "300"
    names_and_memory = [(row[0], row[-1]) for row in peers.cells(BFLOAT16)]
    assert names_and_memory == [
        ("front end", "1,000"),
        ("front end in float32", "600"),
        (FASTAPI, "300"),
        (SLOW, "300"),
    ]


def test_the_front_end_is_compared_within_each_round() -> None:
    told = found(BFLOAT16)
    assert told[f"224 px, 8 clients, answers/s over {FASTAPI}"] == ("1.11", False)
    assert told[f"224 px, 1 client, p50 over {FASTAPI}"] == ("0.9", True)
    assert told[f"1 megapixel, 8 clients, answers/s over {FASTAPI}"] == ("1.11", True)
    assert told[f"224 px, 8 clients, in float32, answers/s over {FASTAPI}"] == ("0.889", False)
    assert told[f"over {SLOW}, answers/s or one client's speed, the worst of both photos"] == (
        "2",
        True,
    )
    assert told["224 px, 8 clients, p99 over p50"] == ("3", False)


def test_without_bfloat16_only_the_goal_for_float32_counts() -> None:
    told = found(FLOAT32)
    assert told[f"224 px, 8 clients, in float32, answers/s over {FASTAPI}"] == ("1.11", True)
    assert f"224 px, 8 clients, answers/s over {FASTAPI}" not in told


@pytest.mark.parametrize("figures", [BFLOAT16, FLOAT32])
def test_each_server_is_named_once(figures: Figures) -> None:
    names = peers.servers(figures)
    assert len(set(names)) == len(names) == len(peers.cells(figures))


def test_a_peer_that_never_answered_one_of_the_photos_is_not_outdone() -> None:
    silent = document("float32", "front end")
    silent["served"][contender_name(SLOW, "1 megapixel")] = {
        clients: [[math.nan] * 5] * 2 for clients in ("1", "8")
    }
    measure = f"over {SLOW}, answers/s or one client's speed, the worst of both photos"
    assert found(Figures(silent))[measure] == ("-", False)
