"""Figures from a Prometheus that collects them from all front ends.

Prometheus accounts for restarts and for front ends that are gone. Its figures lag behind by its
scrape interval, and a counter shows an increase only after two scrapes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import requests

from serving.rollout.errors import Refused
from serving.rollout.remote.figures import LABELS, PERCENT, UNNAMED, Counts, Snapshot, snapshot

T = TypeVar("T")

_TIMEOUT_SECONDS = 10
_UNEXPECTED = (requests.RequestException, ValueError, LookupError, TypeError, AttributeError)


class Prometheus:
    """See `source.Source`."""

    silent: Sequence[str] = ()

    def __init__(self, url: str, counted_as: Collection[str] = UNNAMED) -> None:
        """Sends no request yet.

        Args:
            url: the address of Prometheus, such as http://prometheus:9090.
            counted_as: the model to count; see `figures.read`.
        """
        self._url = url.rstrip("/")
        # Prometheus treats a series without the label like one with an empty label.
        self._model = f"{{model=~{json.dumps('|'.join(map(re.escape, counted_as)))}}}"

    def look(self) -> Instant:
        """Returns the time by Prometheus' clock.

        Raises:
            Refused: Prometheus cannot be asked.
        """
        return self._query("time()", lambda scalar: Instant(self, float(scalar[1])))

    def look_back(self, seconds: int) -> tuple[Snapshot, float]:
        """Returns the counts of the last seconds; see `source.Source`."""
        return self.increase(seconds, self.look().at), float(seconds)

    def canary_percents(self) -> dict[str, float]:
        """Returns the percent that each front end gives the canary, by its label `instance`."""
        return self._query(
            f"{PERCENT}{self._model}",
            lambda series: {x["metric"].get("instance", ""): float(x["value"][1]) for x in series},
        )

    def increase(self, seconds: float, until: float) -> Snapshot:
        """Returns the counts of all front ends in the seconds before a time.

        Raises:
            Refused: Prometheus cannot be asked.
        """
        return snapshot(*(self._summed(name, seconds, until) for name in LABELS))

    def _summed(self, counter: str, seconds: float, until: float) -> Counts:
        selected = f"{counter}{self._model}[{max(1, round(seconds))}s]"
        label = LABELS[counter]

        def counts(series: Any) -> Counts:
            return {
                (x["metric"].get("version", ""), x["metric"].get(label, "")): float(x["value"][1])
                for x in series
            }

        return self._query(f"sum by (version, {label}) (increase({selected}))", counts, until)

    def _query(self, query: str, understand: Callable[[Any], T], time: float | None = None) -> T:
        """Asks the HTTP API.

        Args:
            query: in PromQL.
            understand: takes a list of series, or a scalar as time and text.
            time: the time that is asked about; None for now.

        Raises:
            Refused: Prometheus cannot be asked, or answers with something else.
        """
        try:
            reply = requests.get(
                f"{self._url}/api/v1/query",
                params={"query": query, "time": time},
                timeout=_TIMEOUT_SECONDS,
            )
            reply.raise_for_status()
            return understand(reply.json()["data"]["result"])
        except _UNEXPECTED as error:
            message = f"Prometheus at {self._url} does not tell the figures: {error}"
            raise Refused(message) from error


class Instant:
    """A time, by the clock of a Prometheus."""

    def __init__(self, prometheus: Prometheus, at: float) -> None:
        self.at = at
        self._prometheus = prometheus

    def since(self, earlier: Instant, /) -> Snapshot:
        """Returns the counts between two times; see `source.Moment`."""
        return self._prometheus.increase(self.at - earlier.at, self.at)
