"""From many times to few figures: percentiles of a slice, medians and ratios over the rounds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.load.generator import Load


class Slice(NamedTuple):
    """What one contender did in one round with some clients.

    Attributes:
        p50, p95, p99: milliseconds of an answer.
        rate: answers in a second.
        cpu: milliseconds of processor for an answer, the generator's not counted.
        failed: answers with another status than 200.
        sent, received: bytes of a request and its answer.
    """

    p50: float
    p95: float
    p99: float
    rate: float
    cpu: float
    failed: int = 0
    sent: int = 0
    received: int = 0


class Spread(NamedTuple):
    """The median over the rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float


def of_load(load: Load, cpu: float) -> Slice:
    """The figures of one load; `cpu` is what the system took for it, in seconds."""
    times = load.milliseconds
    failed = sum(load.statuses.values()) - len(times)
    return _slice(times, load.seconds, cpu)._replace(
        failed=failed, sent=load.sent, received=load.received
    )


def of_loop(milliseconds: Sequence[float], seconds: float, cpu: float) -> Slice:
    """The figures of calls in a loop."""
    return _slice(milliseconds, seconds, cpu)


_NOTHING = (math.nan,) * 5


def _slice(milliseconds: Sequence[float], seconds: float, cpu: float) -> Slice:
    if not milliseconds:
        return Slice(*_NOTHING)
    p50, p95, p99 = (float(each) for each in np.percentile(milliseconds, [50, 95, 99]))
    count = len(milliseconds)
    return Slice(p50, p95, p99, count / seconds, 1000 * cpu / count)


def spread(values: Sequence[float]) -> Spread:
    """The spread of one figure over the rounds."""
    return Spread(statistics.median(values), min(values), max(values))


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """The spread of the ratio of two figures, each pair of one round.

    What else the machine does in a round falls on both, and much of it cancels.

    Raises:
        ValueError: the rounds are not as many.
    """
    return spread([a / b for a, b in zip(over, under, strict=True)])


def total(*parts: Sequence[float]) -> list[float]:
    """Round by round, the sum of several figures."""
    return [sum(each) for each in zip(*parts, strict=True)]
