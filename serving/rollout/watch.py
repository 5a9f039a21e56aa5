"""Watches a canary: rolls it back, or promotes it, once its requests are enough to decide."""

from __future__ import annotations

import time
from enum import Enum

from serving.rollout import commands
from serving.rollout.analysis.limits import CanaryLimits, broken, won
from serving.rollout.errors import Refused
from serving.rollout.remote.fleet import Say
from serving.rollout.remote.source import Moment, Source
from serving.rollout.state.deployment import Deployment
from serving.rollout.steps import run


class Outcome(Enum):
    """How a watch ended."""

    ROLLED_BACK = "rolled back"
    PROMOTED = "promoted"
    ENDED = "ended"


def watch(
    deployment: Deployment,
    source: Source,
    limits: CanaryLimits,
    say: Say,
    *,
    every: float,
    seconds: float,
    promote: bool = False,
) -> Outcome:
    """Tests the canary every few seconds until it is promoted, rolled back, or the time is over.

    A test uses all counts since the watch began. After a test is won, counting starts again from
    zero, so that a later failure is noticed as soon as an early one.

    Args:
        deployment: the deployment with the canary.
        source: the source of the counts.
        limits: what the canary must keep.
        say: called with one line for each test.
        every: seconds between two tests.
        seconds: how long to watch; 0 for as long as there is a canary.
        promote: whether to promote the canary once the test is won.

    Raises:
        Refused: there is no canary, or the source cannot be asked at the start; or at the end, the
            rollback or the promotion after the last test failed, or it could not read the figures.
    """
    version = deployment.traffic().canary
    if version is None:
        raise Refused("There is no canary to watch.")
    if promote:
        _ = deployment.verifier  # A key that cannot be read is named now, not once the test is won.
    trial = _Trial(deployment, version, source, limits, say, promote)
    end = time.monotonic() + seconds if seconds else float("inf")
    while time.monotonic() < end:
        time.sleep(every)
        if _is_over(deployment, version):
            say(f"version {version} is no canary any more")
            return Outcome.ENDED
        outcome = trial.look()
        if outcome is not None:
            return outcome
    if trial.problem:
        raise Refused(f"Version {version} is still on trial: {trial.problem}")
    say(f"version {version} broke no limit while it was watched")
    return Outcome.ENDED


class _Trial:
    """One canary under test.

    Attributes:
        problem: what the last test could not do; empty if nothing is wrong.
    """

    def __init__(
        self,
        deployment: Deployment,
        version: int,
        source: Source,
        limits: CanaryLimits,
        say: Say,
        promote: bool,
    ) -> None:
        self._deployment, self._version = deployment, version
        self._source, self._limits = source, limits
        self._say, self._promote = say, promote
        self._begin = source.look()
        self.problem = ""

    def look(self) -> Outcome | None:
        """Tests the canary once; returns the outcome, or None while the trial goes on.

        A source or a file that cannot be read now may be readable at the next test.
        """
        try:
            now = self._source.look()
            counted = now.since(self._begin)
            stable = self._deployment.layout().stable
        except (Refused, OSError) as error:
            self._say(str(error))
            self.problem = f"the figures or the files could not be read: {error}"
            return None
        self.problem = ""
        claims = self._limits.claims(counted, self._version, stable)
        self._say(f"version {self._version}: {'; '.join(map(str, claims))}")
        if lost := broken(claims):
            if _roll_back(self._deployment, self._version, str(lost), self._say):
                return Outcome.ROLLED_BACK
            self.problem = f"a limit was broken, and the rollback did not succeed: {lost}"
            return None
        return self._won(now) if won(claims) else None

    def _won(self, now: Moment) -> Outcome | None:
        sure = f"{1 - self._limits.error:.0%}"
        self._say(f"version {self._version} keeps all limits, with {sure} confidence")
        if self._promote:
            return Outcome.PROMOTED if self._promoted() else None
        self._begin = now
        return None

    def _promoted(self) -> bool:
        title = f"watch: promote {self._version}"
        try:
            with self._deployment.exclusive(title):
                if _is_over(self._deployment, self._version):
                    return False
                steps = commands.promote(self._deployment, title, self._version, commands.Limits())
                run(steps, self._deployment.history, self._say)
        except (Refused, OSError) as error:
            self._say(str(error))
            self.problem = f"it won, and the promotion did not succeed: {error}"
            return False
        return True


def _roll_back(deployment: Deployment, version: int, reason: str, say: Say) -> bool:
    """Ends the trial, unless another command holds the lock; returns whether the trial is over."""
    title = f"watch: rollback of {version}, {reason}"
    say(f"rolling version {version} back: {reason}")
    try:
        with deployment.exclusive(title):
            if not _is_over(deployment, version):
                run(commands.rollback(deployment, title), deployment.history, say)
    except (Refused, OSError) as error:
        say(str(error))
    return _is_over(deployment, version)


def _is_over(deployment: Deployment, version: int) -> bool:
    """Says whether a trial has ended; an unreadable file changes nothing for the front ends."""
    try:
        return deployment.traffic().canary != version
    except Refused:
        return False
