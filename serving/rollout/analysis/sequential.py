"""A sequential test of a share: its verdict may be read after every request, any number of times.

A canary is judged while it runs. If the share so far is compared with its limit again and again,
chance breaks the limit sooner or later. This test keeps its error rate over all checks together.

Source: the Beta-Binomial mixture martingale of Robbins, Statistical Methods Related to the Law of
the Iterated Logarithm, Ann. Math. Statist. 41 (1970) 1397-1409; as a confidence sequence in Howard,
Ramdas, McAuliffe and Sekhon, Time-uniform, Nonparametric, Nonasymptotic Confidence Sequences, Ann.
Statist. 49 (2021) 1055-1080. For a true share p the ratio

    M(p) = integral of x^k (1-x)^(n-k) over a Beta distribution of x  /  (p^k (1-p)^(n-k))

is a martingale of mean 1, so that by Ville's inequality the probability that it ever exceeds
1 / error, at any n, is at most `error`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

_MOST = 10_000_000


class Verdict(Enum):
    """Whether a share keeps its limit, breaks it, or is still undecided."""

    KEPT = "within the limit"
    BROKEN = "beyond the limit"
    OPEN = "undecided"


@dataclass(frozen=True)
class Proportion:
    """The bad events among all events, and the share that may be bad.

    Attributes:
        bad: number of bad events.
        of: number of all events.
        limit: the largest share that may be bad, above 0 and below 1.
        error: the probability of a wrong verdict, however often the verdict is read.
    """

    bad: int
    of: int
    limit: float
    error: float

    def verdict(self) -> Verdict:
        """Returns what the events so far prove."""
        if self._evidence() < math.log(1 / self.error):
            return Verdict.OPEN
        return Verdict.BROKEN if self.bad > self.limit * self.of else Verdict.KEPT

    def bounds(self) -> tuple[float, float]:
        """Returns the lowest and the highest true share that are still possible."""
        if not self.of:
            return 0.0, 1.0
        seen = self.bad / self.of
        return self._edge(0.0, seen), self._edge(1.0, seen)

    def more(self) -> int | None:
        """Estimates how many more events decide, if the share of bad ones stays the same.

        Returns None if the share is so near the limit that more than `_MOST` events are needed.
        """
        rate = self.bad / self.of if self.of else 0.0
        total = max(self.of, 1)
        while self._at(rate, total).verdict() is Verdict.OPEN:
            total = math.ceil(total * 1.05)
            if total > _MOST:
                return None
        return total - self.of

    def _at(self, rate: float, total: int) -> Proportion:
        return Proportion(round(rate * total), total, self.limit, self.error)

    def _evidence(self, share: float | None = None) -> float:
        """Returns the logarithm of M for a share, which defaults to the limit."""
        p = self.limit if share is None else share
        # A prior of about the limit's size: the test decides soonest for shares of that order.
        a, b = 1.0, 1 / self.limit
        good = self.of - self.bad
        mixture = _log_beta(a + self.bad, b + good) - _log_beta(a, b)
        return mixture - _times_log(self.bad, p) - _times_log(good, 1 - p)

    def _edge(self, beyond: float, inside: float) -> float:
        """Returns the possible share that is nearest to `beyond`; `inside` must be possible."""
        if self._evidence(beyond) < math.log(1 / self.error):
            return beyond
        for _ in range(40):
            middle = (beyond + inside) / 2
            impossible = self._evidence(middle) >= math.log(1 / self.error)
            beyond, inside = (middle, inside) if impossible else (beyond, middle)
        return inside


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _times_log(count: int, share: float) -> float:
    """`count` times the logarithm of a share, which may be 0."""
    if not count:
        return 0.0
    return count * math.log(share) if share > 0 else -math.inf
