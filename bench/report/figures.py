"""Summarises measured times: percentiles of a slice, medians and ratios over the rounds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.load.generator import Load


class Slice(NamedTuple):
    """The results of one contender in one round with a number of clients.

    Attributes:
        p50, p95, p99: milliseconds of an answer.
        rate: answers per second.
        cpu: processor milliseconds per answer, without the generator's.
        failed: the number of requests with no answer or a status other than 200.
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
    """The median over the rounds, with the lowest and the highest; NaN if nothing is known."""

    median: float
    low: float
    high: float


def of_load(load: Load, cpu: float) -> Slice:
    """Returns the figures of one load; `cpu` is the processor seconds that the system used."""
    times = load.milliseconds
    failed = sum(load.statuses.values()) - len(times)
    return _slice(times, load.seconds, cpu)._replace(
        failed=failed, sent=load.sent, received=load.received
    )


def of_loop(milliseconds: Sequence[float], seconds: float, cpu: float) -> Slice:
    """Returns the figures of calls in a loop."""
    return _slice(milliseconds, seconds, cpu)


_NOTHING = (math.nan,) * 5


def _slice(milliseconds: Sequence[float], seconds: float, cpu: float) -> Slice:
    if not milliseconds:
        return Slice(*_NOTHING)
    p50, p95, p99 = (float(each) for each in np.percentile(milliseconds, [50, 95, 99]))
    count = len(milliseconds)
    return Slice(p50, p95, p99, count / seconds, 1000 * cpu / count)


def spread(values: Sequence[float]) -> Spread:
    """Returns the spread of one figure over the rounds with answers; NaN if no round has any."""
    known = [value for value in values if not math.isnan(value)] or [math.nan]
    return Spread(statistics.median(known), min(known), max(known))


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Returns the spread of the ratio of two figures, taken within each round.

    Other work of the machine in a round affects both figures, so much of its effect cancels.

    Raises:
        ValueError: the numbers of rounds differ.
    """
    return spread([a / b for a, b in zip(over, under, strict=True)])


def total(*parts: Sequence[float]) -> list[float]:
    """Returns the sum of several figures for each round."""
    return [sum(each) for each in zip(*parts, strict=True)]
