"""Figures from a Prometheus that collects them from all front ends.

Prometheus accounts for restarts and for front ends that are gone. Its figures lag behind by its
scrape interval, and a counter shows an increase only after two scrapes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

import requests

from serving.rollout.errors import Refused
from serving.rollout.remote.figures import (
    CALLS,
    PERCENT,
    SECONDS,
    SHADOWS,
    UNNAMED,
    Counts,
    Snapshot,
)

_TIMEOUT_SECONDS = 10


class Prometheus:
    """See `figures.Source`."""

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
        return Instant(self, float(self._query("time()")[1]))

    def look_back(self, seconds: int) -> tuple[Snapshot, float]:
        """Returns the counts of the last seconds; see `figures.Source`."""
        return self.increase(seconds, self.look().at), float(seconds)

    def shares(self) -> dict[str, float]:
        """Returns the percent that each front end gives the canary, by its label `instance`."""
        series = self._query(f"{PERCENT}{self._model}")
        return {one["metric"].get("instance", ""): float(one["value"][1]) for one in series}

    def increase(self, seconds: float, until: float) -> Snapshot:
        """Returns the counts of all front ends in the seconds before a time.

        Raises:
            Refused: Prometheus cannot be asked.
        """
        return Snapshot(
            self._summed(CALLS, "result", seconds, until),
            self._summed(SECONDS, "le", seconds, until),
            self._summed(SHADOWS, "result", seconds, until),
        )

    def _summed(self, counter: str, label: str, seconds: float, until: float) -> Counts:
        selected = f"{counter}{self._model}[{max(1, round(seconds))}s]"
        grown = f"sum by (version, {label}) (increase({selected}))"
        series = self._query(grown, time=until)
        return {
            (one["metric"].get("version", ""), one["metric"].get(label, "")): float(one["value"][1])
            for one in series
        }

    def _query(self, query: str, time: float | None = None) -> Any:
        """Asks the HTTP API; returns a list of series, or a scalar as time and text.

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
            return reply.json()["data"]["result"]
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            message = f"Prometheus at {self._url} does not tell the figures: {error}"
            raise Refused(message) from error


class Instant:
    """A time, by the clock of a Prometheus."""

    def __init__(self, prometheus: Prometheus, at: float) -> None:
        self.at = at
        self._prometheus = prometheus

    def since(self, earlier: Instant, /) -> Snapshot:
        """Returns the counts between two times; see `figures.Moment`."""
        return self._prometheus.increase(self.at - earlier.at, self.at)
