"""How the versions fare, from the front end's own counts.

Its `/metrics` count since its start; the figures of a while are the difference of two looks.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import requests
from prometheus_client.parser import text_string_to_metric_families

from serving.rollout.errors import Refused

CALLS = "us_bills_model_calls_total"
SECONDS = "us_bills_model_seconds_bucket"
SHADOWS = "us_bills_shadow_total"

Counts = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Look:
    """The counts at one moment.

    Attributes:
        calls: by version and result (`ok` or the name of an error).
        buckets: calls that took at most so long, by version and upper bound in seconds.
        shadows: copies of requests, by version and result (`same`, `different`, ...).
    """

    calls: Counts = field(default_factory=dict)
    buckets: Counts = field(default_factory=dict)
    shadows: Counts = field(default_factory=dict)

    def since(self, earlier: Look) -> Look:
        """What was counted between two looks."""
        return Look(
            _less(self.calls, earlier.calls),
            _less(self.buckets, earlier.buckets),
            _less(self.shadows, earlier.shadows),
        )

    def of(self, version: int) -> Figures:
        """The figures of a version."""
        calls = {key[1]: count for key, count in self.calls.items() if key[0] == str(version)}
        shadows = {key[1]: n for key, n in self.shadows.items() if key[0] == str(version)}
        buckets = {float(k[1]): n for k, n in self.buckets.items() if k[0] == str(version)}
        return Figures(
            requests=round(sum(calls.values())),
            errors=round(sum(calls.values()) - calls.get("ok", 0.0)),
            p50=quantile(buckets, 0.5),
            p95=quantile(buckets, 0.95),
            compared=round(shadows.get("same", 0.0) + shadows.get("different", 0.0)),
            different=round(shadows.get("different", 0.0)),
        )


@dataclass(frozen=True)
class Figures:
    """How one version fared, shadow copies included.

    Attributes:
        p50: median seconds of a call of the model server; None without calls.
        p95: seconds that 95 % of the calls stayed within.
        compared: copies whose answers were compared with stable's.
        different: those that said something else.
    """

    requests: int = 0
    errors: int = 0
    p50: float | None = None
    p95: float | None = None
    compared: int = 0
    different: int = 0


def look(webapp: str) -> Look:
    """Asks the front end.

    Raises:
        Refused: it cannot be asked, or answers with something else.
    """
    try:
        reply = requests.get(f"{webapp.rstrip('/')}/metrics", timeout=5)
        reply.raise_for_status()
        return read(reply.text)
    except (requests.RequestException, ValueError) as error:
        raise Refused(f"The front end at {webapp} does not tell its figures: {error}") from error


def read(text: str) -> Look:
    """Understands a page in Prometheus' text format."""
    found: dict[str, dict[tuple[str, ...], float]] = defaultdict(lambda: defaultdict(float))
    keys = {
        CALLS: ("version", "result"),
        SECONDS: ("version", "le"),
        SHADOWS: ("version", "result"),
    }
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in keys:
                key = tuple(sample.labels[label] for label in keys[sample.name])
                found[sample.name][key] += sample.value
    return Look(found[CALLS], found[SECONDS], found[SHADOWS])


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """A quantile of a cumulative histogram: on a straight line within its bucket.

    As Prometheus' own `histogram_quantile` has it; beyond the last bound it is that bound.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if not total:
        return None
    low, below = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= share * total:
            if math.isinf(bound):
                return low
            return low + (bound - low) * (share * total - below) / (buckets[bound] - below)
        low, below = bound, buckets[bound]
    return low


def _less(later: Counts, earlier: Counts) -> Counts:
    """The differences; a front end that was started anew has counted from nothing."""
    restarted = any(later.get(key, 0.0) < count for key, count in earlier.items())
    return {key: n if restarted else n - earlier.get(key, 0.0) for key, n in later.items()}
