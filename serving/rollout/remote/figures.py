"""The figures of each version, from the front end's metrics.

`/metrics` has the counts since the front end's start, now or as they were some seconds ago. The
difference between the two gives the figures of those seconds.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import requests
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from serving.rollout.errors import Refused

CALLS = "us_bills_model_calls_total"
SECONDS = "us_bills_model_seconds_bucket"
SHADOWS = "us_bills_shadow_total"
PERCENT = "us_bills_canary_percent"

LABELS = {CALLS: "result", SECONDS: "le", SHADOWS: "result"}
"""The label of each counter that divides a version's counts."""

UNNAMED = ("",)
"""Counts without the label `model`: of a front end older than the support of several models."""

Counts = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Snapshot:
    """The counts at one moment.

    Attributes:
        calls: by version and result (`ok` or the name of an error).
        buckets: calls that took at most the upper bound, by version and upper bound in seconds.
        shadows: copies of requests, by version and result (`same`, `different`, ...).
    """

    calls: Counts = field(default_factory=dict)
    buckets: Counts = field(default_factory=dict)
    shadows: Counts = field(default_factory=dict)

    def since(self, earlier: Snapshot) -> Snapshot:
        """Returns the counts between an earlier moment and this one."""
        return Snapshot(
            _less(self.calls, earlier.calls),
            _less(self.buckets, earlier.buckets),
            _less(self.shadows, earlier.shadows),
        )

    def slower(self, version: int, seconds: float) -> tuple[int, int, float]:
        """Returns a version's number of slower calls, its number of all calls, and the bound used.

        The histogram has fixed bounds, so the lowest bound that is at least `seconds` is used.
        """
        buckets = {float(bound): n for bound, n in _of(self.buckets, version).items()}
        if not buckets:
            return 0, 0, seconds
        bound = min((each for each in buckets if each >= seconds), default=math.inf)
        total = max(buckets.values())
        return round(total - buckets.get(bound, total)), round(total), bound

    def of(self, version: int | None) -> Figures:
        """Returns the figures of a version; all are zero for None."""
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
    """The figures of one version, shadow copies included.

    Attributes:
        p50: median seconds of a call to the model server; None without calls.
        p95: 95th percentile of the seconds of a call.
        compared: copies whose answers were compared with stable's.
        different: compared copies whose answer was different.
    """

    requests: int = 0
    errors: int = 0
    p50: float | None = None
    p95: float | None = None
    compared: int = 0
    different: int = 0


def look(webapp: str, counted_as: Collection[str] = UNNAMED) -> Snapshot:
    """Returns the counts of one model at a front end until now.

    Args:
        webapp: the front end's URL.
        counted_as: see `read`.

    Raises:
        Refused: the front end cannot be asked, or its answer is no metrics page.
    """
    return read(_page(webapp).text, counted_as)


def look_back(
    webapp: str, seconds: int, counted_as: Collection[str] = UNNAMED
) -> tuple[Snapshot, float]:
    """Returns the counts of the last seconds, at most 300, at a front end; see `look`.

    Returns:
        The counts and how many seconds they cover: fewer if the front end started more recently.

    Raises:
        Refused: the front end cannot be asked, or its answer is no metrics page.
    """
    page = _page(webapp, f"?ago={seconds}")
    counts = look(webapp, counted_as).since(read(page.text, counted_as))
    age = page.headers.get("Age", "0")
    if not (age.isascii() and age.isdigit()):
        raise Refused(f"Expected the Age of {webapp}/metrics in seconds. Received: {age!r}.")
    return counts, float(age)


def canary_percent(webapp: str, counted_as: Collection[str] = UNNAMED) -> float | None:
    """Returns the percent that the front end gives one model's canary, or None if not reported.

    Raises:
        Refused: the front end cannot be asked, or its answer is no metrics page.
    """
    told = [sample.value for sample in _samples(_page(webapp).text, [PERCENT], counted_as)]
    return told[0] if told else None


def _page(webapp: str, query: str = "") -> requests.Response:
    """Requests `/metrics`.

    Raises:
        Refused: the front end cannot be asked, or answers with an error.
    """
    try:
        reply = requests.get(f"{webapp.rstrip('/')}/metrics{query}", timeout=5)
        reply.raise_for_status()
    except requests.RequestException as error:
        raise Refused(f"The front end at {webapp} does not tell its figures: {error}") from error
    return reply


def read(text: str, counted_as: Collection[str] = UNNAMED) -> Snapshot:
    """Parses a page in Prometheus' text format.

    Args:
        text: the page.
        counted_as: accepted values of a count's label `model`; empty for counts without the label.

    Raises:
        Refused: the page has another format.
    """
    found: dict[str, dict[tuple[str, str], float]] = defaultdict(lambda: defaultdict(float))
    for sample in _samples(text, LABELS, counted_as):
        label = sample.labels.get(LABELS[sample.name], "")
        found[sample.name][sample.labels.get("version", ""), label] += sample.value
    return snapshot(found[CALLS], found[SECONDS], found[SHADOWS])


def _samples(text: str, names: Collection[str], counted_as: Collection[str]) -> list[Sample]:
    try:
        page = [sample for one in text_string_to_metric_families(text) for sample in one.samples]
    except (ValueError, KeyError, IndexError) as error:
        raise Refused(f"Expected Prometheus' text format. Received: {text[:80]!r}.") from error
    wanted = [sample for sample in page if sample.name in names]
    return [sample for sample in wanted if sample.labels.get("model", "") in counted_as]


def snapshot(calls: Counts, buckets: Counts, shadows: Counts) -> Snapshot:
    """Makes a snapshot of counts that came from outside.

    Raises:
        Refused: a count is negative or not finite, or a bucket's bound is no number.
    """
    for counts in (calls, buckets, shadows):
        for key, count in counts.items():
            if not 0 <= count < math.inf or (counts is buckets and not _is_number(key[1])):
                expected = "counts from 0, and bounds in seconds"
                raise Refused(f"Expected {expected}. Received: {count} for {key}.")
    return Snapshot(calls, buckets, shadows)


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """Returns a quantile of a cumulative histogram, by linear interpolation within its bucket.

    Like Prometheus' `histogram_quantile`; beyond the last finite bound it returns that bound.
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


def _of(counts: Counts, version: int | None) -> dict[str, float]:
    """Returns the counts of one version, by result or bound."""
    return {key: n for (number, key), n in counts.items() if number == str(version)}


def _less(later: Counts, earlier: Counts) -> Counts:
    """Returns the differences; a front end that restarted in between has counted from zero."""
    restarted = any(later.get(key, 0.0) < count for key, count in earlier.items())
    return {key: n if restarted else n - earlier.get(key, 0.0) for key, n in later.items()}
