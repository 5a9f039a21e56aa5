"""The limits of a canary, and what its requests prove about them so far."""

from __future__ import annotations

from dataclasses import dataclass

from serving.rollout.analysis.sequential import Share, Verdict
from serving.rollout.remote.figures import Snapshot

# Latency limit: at most this share of the calls may exceed `latency_ratio` times stable's p95.
SLOW = 0.05
# With fewer requests, stable's own p95 is too uncertain.
LEAST_OF_STABLE = 50
_SMALLEST_LIMIT = 0.0001


@dataclass(frozen=True)
class Claim:
    """One tested limit, with the counts so far.

    Attributes:
        what: the counted event, such as `failed`.
        share: how often the event occurred, and how often it may.
    """

    what: str
    share: Share

    def __str__(self) -> str:
        low, high = self.share.bounds()
        seen = f"{self.what} {self.share.bad} of {self.share.of}"
        return f"{seen}: {low:.1%} to {high:.1%}, limit {self.share.limit:.1%}{self._left()}"

    def _left(self) -> str:
        verdict = self.share.verdict()
        if verdict is not Verdict.OPEN:
            return f" ({verdict.value})"
        more = self.share.more()
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
        own, other = counted.of(canary), counted.of(stable or 0)
        found = [self._claim("failed", own.errors, own.requests, self.error_rate)]
        if other.p95 and other.requests >= LEAST_OF_STABLE:
            allowed = self.latency_ratio * other.p95
            slow, of, bound = counted.slower(canary, allowed)
            found.append(self._claim(f"slower than {1000 * bound:.0f} ms", slow, of, SLOW))
        if own.compared:
            found.append(
                self._claim("answered otherwise", own.different, own.compared, self.disagreement)
            )
        return found

    def _claim(self, what: str, bad: int, of: int, limit: float) -> Claim:
        within = min(max(limit, _SMALLEST_LIMIT), 1 - _SMALLEST_LIMIT)
        return Claim(what, Share(bad, of, within, self.error / 3))


def broken(claims: list[Claim]) -> Claim | None:
    """Returns the first claim that proves a broken limit, or None."""
    return next((each for each in claims if each.share.verdict() is Verdict.BROKEN), None)


def won(claims: list[Claim]) -> bool:
    """Says whether all claims, latency among them, prove that their limits are kept."""
    kept = all(each.share.verdict() is Verdict.KEPT for each in claims)
    return kept and any(each.what.startswith("slower") for each in claims)
