"""A sequential test of a share: it may be looked at after every request, as often as one likes.

A canary is judged while it runs. A limit that is compared with the share so far, look after look,
is broken by chance sooner or later. This test keeps its error rate over all looks together.

Source: the Beta-Binomial mixture martingale of Robbins, Statistical Methods Related to the Law of
the Iterated Logarithm, Ann. Math. Statist. 41 (1970) 1397-1409; as a confidence sequence in Howard,
Ramdas, McAuliffe and Sekhon, Time-uniform, Nonparametric, Nonasymptotic Confidence Sequences, Ann.
Statist. 49 (2021) 1055-1080. For a true share p the ratio

    M(p) = integral of x^k (1-x)^(n-k) over a Beta distribution of x  /  (p^k (1-p)^(n-k))

is a martingale of mean 1, so that by Ville's inequality it exceeds 1 / error at any n, ever, with
a probability of at most `error`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

_MOST = 10_000_000


class Verdict(Enum):
    """What is known of a share: it keeps its limit, breaks it, or both are possible."""

    KEPT = "within the limit"
    BROKEN = "beyond the limit"
    OPEN = "undecided"


@dataclass(frozen=True)
class Share:
    """How many of some events were bad, and how many may be.

    Attributes:
        bad: number of bad events.
        of: number of all events.
        limit: the largest share that may be bad, above 0 and below 1.
        error: the probability of a wrong verdict, whenever one looks.
    """

    bad: int
    of: int
    limit: float
    error: float

    def verdict(self) -> Verdict:
        """What the events so far prove."""
        if self._evidence() < math.log(1 / self.error):
            return Verdict.OPEN
        return Verdict.BROKEN if self.bad > self.limit * self.of else Verdict.KEPT

    def bounds(self) -> tuple[float, float]:
        """The shares that are still possible, from and to."""
        if not self.of:
            return 0.0, 1.0
        seen = self.bad / self.of
        return self._edge(0.0, seen), self._edge(1.0, seen)

    def more(self) -> int | None:
        """About how many further events decide, if as many of them are bad as so far.

        None where the share so far is so near the limit that none would.
        """
        rate = self.bad / self.of if self.of else 0.0
        total = max(self.of, 1)
        while self._at(rate, total).verdict() is Verdict.OPEN:
            total = math.ceil(total * 1.05)
            if total > _MOST:
                return None
        return total - self.of

    def _at(self, rate: float, total: int) -> Share:
        return Share(round(rate * total), total, self.limit, self.error)

    def _evidence(self, share: float | None = None) -> float:
        """The logarithm of M for a share, the limit where none is given."""
        p = self.limit if share is None else share
        # A prior of about the limit's size: it decides soonest for shares of that order.
        a, b = 1.0, 1 / self.limit
        good = self.of - self.bad
        mixture = _log_beta(a + self.bad, b + good) - _log_beta(a, b)
        return mixture - _times_log(self.bad, p) - _times_log(good, 1 - p)

    def _edge(self, beyond: float, inside: float) -> float:
        """The end of the possible shares between one that may be impossible and one that is not."""
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
