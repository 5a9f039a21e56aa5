"""How the versions fare, from the front end's own counts.

Its `/metrics` count since its start, and can be had as they were a while ago; the figures of that
while are the difference.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import requests
from prometheus_client.parser import text_string_to_metric_families

from serving.rollout.errors import Refused

CALLS = "us_bills_model_calls_total"
SECONDS = "us_bills_model_seconds_bucket"
SHADOWS = "us_bills_shadow_total"
PERCENT = "us_bills_canary_percent"

UNNAMED = ("",)
"""Counts that have no label `model`: of a front end of before there were several models."""

Counts = Mapping[tuple[str, str], float]
M = TypeVar("M")


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

    def slower(self, version: int, seconds: float) -> tuple[int, int, float]:
        """How many calls of a version took longer than some seconds, of how many.

        The histogram knows some times only: it is judged by the next one above, the third value.
        """
        buckets = {float(bound): n for bound, n in _of(self.buckets, version).items()}
        if not buckets:
            return 0, 0, seconds
        bound = min((each for each in buckets if each >= seconds), default=math.inf)
        total = max(buckets.values())
        return round(total - buckets[bound]), round(total), bound

    def of(self, version: int) -> Figures:
        """The figures of a version."""
        calls, shadows = _of(self.calls, version), _of(self.shadows, version)
        buckets = {float(bound): n for bound, n in _of(self.buckets, version).items()}
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


class Moment(Protocol):
    """A moment that figures are counted to or from."""

    def since(self: M, earlier: M, /) -> Look:
        """What was counted between two moments of one source.

        Raises:
            Refused: the source cannot be asked.
        """


class Source(Protocol):
    """Where figures come from: the front ends, or what collects from them."""

    @property
    def silent(self) -> Sequence[str]:
        """Why some of it could not be asked the last time, a sentence each."""

    def shares(self) -> Mapping[str, float]:
        """The percent that each front end gives the canary; those that do not say are left out.

        Raises:
            Refused: nothing of it can be asked.
        """

    def look(self) -> Moment:
        """This moment.

        Raises:
            Refused: nothing of it can be asked.
        """

    def look_back(self, seconds: int) -> tuple[Look, float]:
        """What was counted in the last seconds, and for how long it was.

        Raises:
            Refused: nothing of it can be asked.
        """


def look(webapp: str, counted_as: Collection[str] = UNNAMED) -> Look:
    """What the front end has counted until now of one model.

    Args:
        webapp: its URL.
        counted_as: see `read`.

    Raises:
        Refused: it cannot be asked, or answers with something else.
    """
    return read(_page(webapp).text, counted_as)


def look_back(
    webapp: str, seconds: int, counted_as: Collection[str] = UNNAMED
) -> tuple[Look, float]:
    """What the front end counted in the last seconds, at most 300; see `look`.

    Returns:
        The counts and for how long they were made, less where it has not run for so long.

    Raises:
        Refused: it cannot be asked, or answers with something else.
    """
    page = _page(webapp, f"?ago={seconds}")
    counts = look(webapp, counted_as).since(read(page.text, counted_as))
    return counts, float(page.headers.get("Age", 0))


def share(webapp: str, counted_as: Collection[str] = UNNAMED) -> float | None:
    """The percent that the front end gives the canary of one model, or None if it does not say.

    Raises:
        Refused: it cannot be asked.
    """
    page = text_string_to_metric_families(_page(webapp).text)
    samples = [sample for family in page for sample in family.samples if sample.name == PERCENT]
    told = [sample.value for sample in samples if sample.labels.get("model", "") in counted_as]
    return told[0] if told else None


def _page(webapp: str, query: str = "") -> requests.Response:
    """Asks for `/metrics`.

    Raises:
        Refused: it cannot be asked, or answers with something else.
    """
    try:
        reply = requests.get(f"{webapp.rstrip('/')}/metrics{query}", timeout=5)
        reply.raise_for_status()
    except requests.RequestException as error:
        raise Refused(f"The front end at {webapp} does not tell its figures: {error}") from error
    return reply


def read(text: str, counted_as: Collection[str] = UNNAMED) -> Look:
    """Understands a page in Prometheus' text format.

    Args:
        text: the page.
        counted_as: what the label `model` of a count may be; empty for one without the label.

    Raises:
        Refused: it is something else.
    """
    try:
        return _read(text, counted_as)
    except ValueError as error:
        raise Refused(f"Expected Prometheus' text format. Received: {text[:80]!r}.") from error


def _read(text: str, counted_as: Collection[str]) -> Look:
    found: dict[str, dict[tuple[str, str], float]] = defaultdict(lambda: defaultdict(float))
    labels = {CALLS: "result", SECONDS: "le", SHADOWS: "result"}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = labels.get(sample.name)
            if label and sample.labels.get("model", "") in counted_as:
                found[sample.name][sample.labels["version"], sample.labels[label]] += sample.value
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


def _of(counts: Counts, version: int) -> dict[str, float]:
    """The counts of one version, by result or bound."""
    return {key: n for (number, key), n in counts.items() if number == str(version)}


def _less(later: Counts, earlier: Counts) -> Counts:
    """The differences; a front end that was started anew has counted from nothing."""
    restarted = any(later.get(key, 0.0) < count for key, count in earlier.items())
    return {key: n if restarted else n - earlier.get(key, 0.0) for key, n in later.items()}
