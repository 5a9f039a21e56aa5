"""Breaks an answer's time into stages: the front end's counters, read before and after a load."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable

import requests

from bench.contenders.contender import Contender
from bench.load.generator import Generator

STAGES = ("queue", "decode", "preprocess", "model", "count")
"""In order of execution. `count` is how much longer the counter took than the model; both are asked
simultaneously."""
_WHOLE = ""
"""The key of the whole request among the stages: its counter has no label `stage`."""
REST, OUTSIDE = "rest of the request", "before and after it"
_LINE = re.compile(
    r"^us_bills_(?:stage|request)_seconds_(sum|count)"
    r'\{(?:stage="(\w+)"|endpoint="api.predict")\} (\S+)$',
    re.MULTILINE,
)


def where_the_time_goes(
    generator: Generator, contender: Contender, clients: int, seconds: float
) -> dict[str, float]:
    """Returns the mean milliseconds of an answer by stage; the sum is what a client waits.

    A stage that no request reached, such as `count` without a counter, is 0.

    Args:
        generator: the process that sends the requests.
        contender: a front end and a photo.
        clients: the number of simultaneous clients.
        seconds: the duration of the load.
    """
    url = contender.target.url.replace("/predict", "/metrics")
    before = _counters(url)
    load = generator.load(contender.target, clients, seconds)
    spent = {name: value - before.get(name, 0) for name, value in _counters(url).items()}
    told = {stage: _mean(spent, stage) for stage in STAGES}
    # By the answers, since refusals, which take a millisecond, count as requests too.
    whole = 1000 * spent[_WHOLE, "sum"] / spent["model", "count"]
    told[REST] = whole - sum(told.values())
    told[OUTSIDE] = statistics.mean(load.milliseconds) - whole
    return told


def _counters(url: str) -> dict[tuple[str, str], float]:
    found: Iterable[tuple[str, str, str]] = _LINE.findall(requests.get(url, timeout=30).text)
    return {(stage, kind): float(value) for kind, stage, value in found}


def _mean(spent: dict[tuple[str, str], float], stage: str) -> float:
    count = spent.get((stage, "count"), 0.0)
    return 1000 * spent[stage, "sum"] / count if count else 0.0
