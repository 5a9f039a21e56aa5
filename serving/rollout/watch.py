"""Keeps a canary under guard: takes it back by itself when it does worse than is allowed."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from serving.rollout import figures, moves
from serving.rollout.errors import Refused
from serving.rollout.figures import Figures, Look
from serving.rollout.site import Site
from serving.rollout.steps import Say, run

WINDOW_SECONDS = 300.0


@dataclass(frozen=True)
class Guard:
    """What a canary must keep to.

    Attributes:
        error_rate: largest share of its requests that may fail, 0 to 1.
        latency_ratio: largest p95 latency, as a multiple of stable's.
        disagreement: largest share of compared answers that may differ from stable's, 0 to 1.
        least: number of requests, or of comparisons, below which nothing is judged.
    """

    error_rate: float = 0.02
    latency_ratio: float = 2.0
    disagreement: float = 0.1
    least: int = 20

    def objection(self, canary: Figures, stable: Figures) -> str | None:
        """Why a canary must go, or None."""
        if canary.requests >= self.least:
            rate = canary.errors / canary.requests
            if rate > self.error_rate:
                failed = f"{canary.errors} of {canary.requests} requests failed"
                return f"{failed} ({rate:.1%}, at most {self.error_rate:.1%})"
        if min(canary.requests, stable.requests) >= self.least and canary.p95 and stable.p95:
            ratio = canary.p95 / stable.p95
            if ratio > self.latency_ratio:
                longer = f"p95 {1000 * canary.p95:.0f} ms is {ratio:.1f} times stable's"
                return f"{longer} (at most {self.latency_ratio:g})"
        if canary.compared >= self.least:
            share = canary.different / canary.compared
            if share > self.disagreement:
                other = f"{canary.different} of {canary.compared} answers differ from stable's"
                return f"{other} ({share:.1%}, at most {self.disagreement:.1%})"
        return None


def watch(
    site: Site, webapp: str, guard: Guard, say: Say, *, every: float, seconds: float
) -> str | None:
    """Looks every few seconds until the canary is promoted, rolled back, or the time is over.

    Args:
        site: what is watched.
        webapp: the front end, which counts.
        guard: the limits.
        say: told one line for each look.
        every: seconds between two looks.
        seconds: how long to watch; 0 for as long as there is a canary.

    Returns:
        Why the canary was rolled back, or None.

    Raises:
        Refused: there is no canary, or the front end cannot be asked at the start.
    """
    version = site.traffic().canary
    if version is None:
        raise Refused("There is no canary to watch.")
    looks: deque[tuple[float, Look]] = deque([(time.monotonic(), figures.look(webapp))])
    end = time.monotonic() + seconds if seconds else float("inf")
    while time.monotonic() < end:
        time.sleep(every)
        if _is_over(site, version):
            say(f"version {version} is no canary any more")
            return None
        reason = _look(site, version, webapp, guard, looks, say)
        if reason is not None:
            return reason
    say(f"version {version} kept within the limits")
    return None


def _look(
    site: Site,
    version: int,
    webapp: str,
    guard: Guard,
    looks: deque[tuple[float, Look]],
    say: Say,
) -> str | None:
    try:
        now = figures.look(webapp)
        looks.append((time.monotonic(), now))
    except Refused as error:
        say(str(error))
        return None
    # Two are needed to judge, however long ago the last one was.
    while len(looks) > 2 and looks[0][0] < time.monotonic() - WINDOW_SECONDS:
        looks.popleft()
    window = now.since(looks[0][1])
    canary, stable = window.of(version), window.of(site.layout().stable or 0)
    say(f"version {version}: {_words(canary)}; stable: {_words(stable)}")
    reason = guard.objection(canary, stable)
    return reason if reason is None or _roll_back(site, version, reason, say) else None


def _roll_back(site: Site, version: int, reason: str, say: Say) -> bool:
    """Takes the canary back, unless somebody holds the lock; returns whether it is gone."""
    title = f"watch: rollback of {version}, {reason}"
    say(f"rolling version {version} back: {reason}")
    try:
        with site.exclusive(title):
            if not _is_over(site, version):
                run(moves.rollback(site, title), site.history, say)
    except Refused as error:
        say(str(error))
    return _is_over(site, version)


def _is_over(site: Site, version: int) -> bool:
    """Whether a trial has ended; a file that nobody understands leaves front ends as they were."""
    try:
        return site.traffic().canary != version
    except Refused:
        return False


def _words(one: Figures) -> str:
    slow = "" if one.p95 is None else f", p95 {1000 * one.p95:.0f} ms"
    other = f", {one.different} of {one.compared} differ" if one.compared else ""
    return f"{one.requests} requests, {one.errors} failed{slow}{other}"
