"""Keeps a canary under guard: takes it back, or promotes it, once its requests decide that."""

from __future__ import annotations

import time
from enum import Enum

from serving.rollout import commands
from serving.rollout.analysis.guard import Guard, broken, won
from serving.rollout.errors import Refused
from serving.rollout.remote.figures import Moment, Source
from serving.rollout.state.deployment import Deployment
from serving.rollout.steps import Say, run


class Outcome(Enum):
    """How a watch ended."""

    ROLLED_BACK = "rolled back"
    PROMOTED = "promoted"
    ENDED = "ended"


def watch(
    deployment: Deployment,
    source: Source,
    guard: Guard,
    say: Say,
    *,
    every: float,
    seconds: float,
    promote: bool = False,
) -> Outcome:
    """Looks every few seconds until the canary is promoted, rolled back, or the time is over.

    It is tested by all that was counted since the watch began. A test that is won begins anew, so
    that a canary that fails later is noticed as soon as one that fails at once.

    Args:
        deployment: what is watched.
        source: the front ends, which count.
        guard: the limits.
        say: told one line for each look.
        every: seconds between two looks.
        seconds: how long to watch; 0 for as long as there is a canary.
        promote: whether to promote the canary once the test is won.

    Raises:
        Refused: there is no canary, or no front end can be asked at the start.
    """
    version = deployment.traffic().canary
    if version is None:
        raise Refused("There is no canary to watch.")
    trial = _Trial(deployment, version, source, guard, say, promote)
    end = time.monotonic() + seconds if seconds else float("inf")
    while time.monotonic() < end:
        time.sleep(every)
        if _is_over(deployment, version):
            say(f"version {version} is no canary any more")
            return Outcome.ENDED
        outcome = trial.look()
        if outcome is not None:
            return outcome
    say(f"version {version} broke no limit while it was watched")
    return Outcome.ENDED


class _Trial:
    """One canary under test."""

    def __init__(
        self,
        deployment: Deployment,
        version: int,
        source: Source,
        guard: Guard,
        say: Say,
        promote: bool,
    ) -> None:
        self._deployment, self._version = deployment, version
        self._source, self._guard = source, guard
        self._say, self._promote = say, promote
        self._begin = source.look()

    def look(self) -> Outcome | None:
        """Tests once; returns how it ended, if it did."""
        try:
            now = self._source.look()
            counted = now.since(self._begin)
        except Refused as error:
            self._say(str(error))
            return None
        claims = self._guard.claims(counted, self._version, self._deployment.layout().stable)
        self._say(f"version {self._version}: {'; '.join(map(str, claims))}")
        if lost := broken(claims):
            gone = _roll_back(self._deployment, self._version, str(lost), self._say)
            return Outcome.ROLLED_BACK if gone else None
        return self._won(now) if won(claims) else None

    def _won(self, now: Moment) -> Outcome | None:
        sure = f"{1 - self._guard.error:.0%}"
        self._say(f"version {self._version} keeps all limits, with {sure} confidence")
        if self._promote:
            return Outcome.PROMOTED if self._promoted() else None
        self._begin = now
        return None

    def _promoted(self) -> bool:
        title = f"watch: promote {self._version}"
        try:
            with self._deployment.exclusive(title):
                steps = commands.promote(self._deployment, title, self._version, commands.Limits())
                run(steps, self._deployment.history, self._say)
        except Refused as error:
            self._say(str(error))
            return False
        return True


def _roll_back(deployment: Deployment, version: int, reason: str, say: Say) -> bool:
    """Takes the canary back, unless another command holds the lock; returns whether it is gone."""
    title = f"watch: rollback of {version}, {reason}"
    say(f"rolling version {version} back: {reason}")
    try:
        with deployment.exclusive(title):
            if not _is_over(deployment, version):
                run(commands.rollback(deployment, title), deployment.history, say)
    except Refused as error:
        say(str(error))
    return _is_over(deployment, version)


def _is_over(deployment: Deployment, version: int) -> bool:
    """Whether a trial has ended; an unreadable file leaves front ends as they were."""
    try:
        return deployment.traffic().canary != version
    except Refused:
        return False
