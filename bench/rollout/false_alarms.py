"""Measures errors and speed of `rollout watch`: `python -m bench.rollout.false_alarms`.

The statistical test of `watch` checks simulated canaries with a known share of failing requests,
once every 25 requests. The table is in docs/rollouts.md.
"""

from __future__ import annotations

import statistics
from typing import NamedTuple

import numpy as np

from serving.rollout.analysis.sequential import Proportion, Verdict

LIMIT = 0.02
ERROR = 0.01 / 3
LOOK_EVERY, MOST = 25, 5_000
RUNS = 1_000
TIMES_THE_LIMIT = (0, 0.25, 0.5, 0.9, 1.1, 1.5, 2, 5, 50)


class Outcome(NamedTuple):
    """The verdict of a watch, and the number of requests that it saw."""

    verdict: Verdict
    requests: int


def watched(rate: float, rng: np.random.Generator) -> Outcome:
    """Watches one canary until there is a verdict, for at most `MOST` requests."""
    failed = 0
    for requests in range(LOOK_EVERY, MOST + 1, LOOK_EVERY):
        failed += int(rng.binomial(LOOK_EVERY, rate))
        verdict = Proportion(failed, requests, LIMIT, ERROR).verdict()
        if verdict is not Verdict.OPEN:
            break
    return Outcome(verdict, requests)


def row(rate: float) -> str:
    """One line of the table."""
    rng = np.random.default_rng(1)
    outcomes = [watched(rate, rng) for _ in range(RUNS)]
    shares = [
        f"{sum(each.verdict is verdict for each in outcomes) / RUNS:.1%}"
        for verdict in (Verdict.KEPT, Verdict.BROKEN, Verdict.OPEN)
    ]
    decided = [each.requests for each in outcomes if each.verdict is not Verdict.OPEN]
    median = f"{statistics.median(decided):,.0f}" if decided else ""
    return f"| {rate:.1%} | {' | '.join(shares)} | {median} |"


def main() -> None:
    """Prints the table."""
    print(f"| requests that fail (limit {LIMIT:.0%}) | kept | broken | open | median requests |")
    print("|---|---|---|---|---|")
    for times in TIMES_THE_LIMIT:
        print(row(min(1.0, times * LIMIT)), flush=True)


if __name__ == "__main__":
    main()
