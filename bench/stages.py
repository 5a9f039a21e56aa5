"""Where the time of an answer goes: the front end's own counters, before and after a load."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable

import requests

from bench.contenders import Contender
from bench.generator import Generator

STAGES = ("queue", "decode", "preprocess", "model")
REST, OUTSIDE = "rest of the request", "before and after it"
_SUM = re.compile(
    r'^us_bills_(?:stage_seconds_sum\{stage="(\w+)"\}|request_seconds_sum\{endpoint="api.predict"\})'
    r" (\S+)$",
    re.MULTILINE,
)


def where_the_time_goes(
    generator: Generator, row: Contender, clients: int, seconds: float
) -> dict[str, float]:
    """Milliseconds of a mean answer, by stage; together they are what a client waits.

    Args:
        generator: who asks.
        row: a front end and a photo.
        clients: how many ask at once.
        seconds: for how long.
    """
    url = row.target.url.replace("/predict", "/metrics")
    before = _sums(url)
    load = generator.load(row.target, clients, seconds)
    count, after = len(load.milliseconds), _sums(url)
    spent = {name: 1000 * (after[name] - before.get(name, 0)) / count for name in after}
    told = {stage: spent[stage] for stage in STAGES}
    told[REST] = spent[""] - sum(told.values())
    told[OUTSIDE] = statistics.mean(load.milliseconds) - spent[""]
    return told


def _sums(url: str) -> dict[str, float]:
    found: Iterable[tuple[str, str]] = _SUM.findall(requests.get(url, timeout=30).text)
    return {stage: float(value) for stage, value in found}
