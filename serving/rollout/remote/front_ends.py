"""All front ends of a site as one source of figures; front ends may start and stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.client import Unavailable
from serving.rollout.errors import Refused
from serving.rollout.remote import figures
from serving.rollout.remote.addresses import Addresses
from serving.rollout.remote.figures import UNNAMED, Snapshot

T = TypeVar("T")

_MOST_THREADS = 32


class Snapshots:
    """The counts of each front end at one moment; they never fall, even if one restarts."""

    def __init__(self, counts: Mapping[str, Snapshot], first: Mapping[str, Snapshot]) -> None:
        """Keeps the counts.

        Args:
            counts: the counts of each front end, by its URL.
            first: the counts of each front end when it was first seen.
        """
        self._counts = counts
        self._first = first

    def since(self, earlier: Snapshots, /) -> Snapshot:
        """Returns all counts since `earlier`, or since a later front end was first seen."""
        return total(
            counts.since(earlier._counts.get(url, self._first[url]))
            for url, counts in self._counts.items()
        )


class FrontEnds:
    """See `source.Source`."""

    def __init__(self, text: str, counted_as: Collection[str] = UNNAMED) -> None:
        """Sends no request yet.

        Args:
            text: URLs separated by commas; `dns:///name:port` for all addresses of a name.
            counted_as: the model to count; see `figures.read`.

        Raises:
            Refused: a URL has another form.
        """
        self._addresses = Addresses(text, "--webapp", "http", "http://host:port")
        self._counted_as = counted_as
        self._first: dict[str, Snapshot] = {}
        self._told: dict[str, Snapshot] = {}
        self._counts: dict[str, Snapshot] = {}
        self.silent: list[str] = []

    def look(self) -> Snapshots:
        """Returns the counts of each front end; of an unreachable one, its last known counts.

        A front end that restarted counts from zero; its counts from before the restart stay in.

        Raises:
            Refused: no front end can be asked.
        """
        found = self._ask_all(lambda url: figures.look(url, self._counted_as))
        grown = {url: told.since(self._told.get(url, Snapshot())) for url, told in found.items()}
        self._told |= found
        self._counts |= {
            url: total([self._counts.get(url, Snapshot()), grown[url]]) for url in grown
        }
        self._first = self._counts | self._first
        return Snapshots(dict(self._counts), self._first)

    def look_back(self, seconds: int) -> tuple[Snapshot, float]:
        """Returns the counts of the last seconds, at most 300, and the longest time one covers.

        Raises:
            Refused: no front end can be asked.
        """
        asked = self._ask_all(lambda url: figures.look_back(url, seconds, self._counted_as))
        found = asked.values()
        return total(counts for counts, _ in found), max(age for _, age in found)

    def canary_percents(self) -> dict[str, float]:
        """Returns the percent that each front end gives the canary; see `source.Source`."""
        found = self._ask_all(lambda url: figures.canary_percent(url, self._counted_as))
        return {url: percent for url, percent in found.items() if percent is not None}

    def _ask_all(self, ask: Callable[[str], T]) -> dict[str, T]:
        try:
            urls = self._addresses.urls()
        except Unavailable as error:
            raise Refused(str(error)) from error
        found = _each(ask, urls)
        answers = {url: x for url, x in found.items() if not isinstance(x, Refused)}
        self.silent = [str(answer) for answer in found.values() if isinstance(answer, Refused)]
        if not answers:
            raise Refused("; ".join(self.silent))
        return answers


def total(looks: Iterable[Snapshot]) -> Snapshot:
    """Returns the sum of several counts."""
    calls, buckets, shadows = (Counter[tuple[str, str]]() for _ in range(3))
    for one in looks:
        for into, counts in ((calls, one.calls), (buckets, one.buckets), (shadows, one.shadows)):
            into.update(counts)
    return Snapshot(calls, buckets, shadows)


def _each(ask: Callable[[str], T], urls: Collection[str]) -> dict[str, T | Refused]:
    def answer(url: str) -> T | Refused:
        try:
            return ask(url)
        except Refused as error:
            return error

    with ThreadPoolExecutor(min(len(urls), _MOST_THREADS)) as pool:
        return dict(zip(urls, pool.map(answer, urls), strict=True))
