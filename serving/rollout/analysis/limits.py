"""The limits of a canary, and what its requests prove about them so far."""

from __future__ import annotations

from dataclasses import dataclass

from serving.rollout.analysis.sequential import Proportion, Verdict
from serving.rollout.remote.figures import Snapshot

# Latency limit: at most this share of the calls may exceed `latency_ratio` times stable's p95.
SLOW = 0.05
# With fewer requests, stable's own p95 is too uncertain.
LEAST_OF_STABLE = 50
_SMALLEST_LIMIT = 0.0001
# Bonferroni: with a third of the error each, three tests together err no more often than allowed.
_TESTS = 3


@dataclass(frozen=True)
class Claim:
    """One tested limit, with the counts so far.

    Attributes:
        what: the counted event, such as `failed`.
        seen: how often the event occurred, and how often it may.
        of_latency: whether the claim is about the latency.
    """

    what: str
    seen: Proportion
    of_latency: bool = False

    def __str__(self) -> str:
        low, high = self.seen.bounds()
        counts = f"{self.what} {self.seen.bad} of {self.seen.of}"
        return f"{counts}: {low:.1%} to {high:.1%}, limit {self.seen.limit:.1%}{self._left()}"

    def _left(self) -> str:
        verdict = self.seen.verdict()
        if verdict is not Verdict.OPEN:
            return f" ({verdict.value})"
        more = self.seen.more()
        return " (too near to tell)" if more is None else f" (about {more:,} more to tell)"


@dataclass(frozen=True)
class CanaryLimits:
    """The limits of a canary.

    Attributes:
        error_rate: largest share of its requests that may fail, 0 to 1.
        latency_ratio: largest p95 latency, as a multiple of stable's.
        disagreement: largest share of compared answers that may differ from stable's, 0 to 1.
        error: the probability of a wrong verdict on any limit, however often the limits are tested.
    """

    error_rate: float = 0.02
    latency_ratio: float = 2.0
    disagreement: float = 0.03
    error: float = 0.01

    def claims(self, counted: Snapshot, canary: int, stable: int | None) -> list[Claim]:
        """Returns a claim for each limit; skips latency or answers if too little was counted."""
        own, other = counted.of(canary), counted.of(stable)
        found = [Claim("failed", self._seen(own.errors, own.requests, self.error_rate))]
        if other.p95 and other.requests >= LEAST_OF_STABLE:
            allowed = self.latency_ratio * other.p95
            slow, of, bound = counted.slower(canary, allowed)
            what = f"slower than {1000 * bound:.0f} ms"
            found.append(Claim(what, self._seen(slow, of, SLOW), of_latency=True))
        if own.compared:
            different = self._seen(own.different, own.compared, self.disagreement)
            found.append(Claim("answered otherwise", different))
        return found

    def _seen(self, bad: int, of: int, limit: float) -> Proportion:
        within = min(max(limit, _SMALLEST_LIMIT), 1 - _SMALLEST_LIMIT)
        return Proportion(bad, of, within, self.error / _TESTS)


def broken(claims: list[Claim]) -> Claim | None:
    """Returns the first claim that proves a broken limit, or None."""
    return next((each for each in claims if each.seen.verdict() is Verdict.BROKEN), None)


def won(claims: list[Claim]) -> bool:
    """Says whether all claims, latency among them, prove that their limits are kept."""
    kept = all(each.seen.verdict() is Verdict.KEPT for each in claims)
    return kept and any(each.of_latency for each in claims)
