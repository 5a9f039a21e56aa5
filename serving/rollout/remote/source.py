"""What a source of figures can be asked: the front ends, or a Prometheus that scrapes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from serving.rollout.remote.figures import Snapshot

M = TypeVar("M")


class Moment(Protocol):
    """A moment that figures are counted to or from."""

    def since(self: M, earlier: M, /) -> Snapshot:
        """Returns the counts between two moments of one source.

        Raises:
            Refused: the source cannot be asked.
        """


class Source(Protocol):
    """A source of figures: the front ends, or a Prometheus that scrapes them."""

    @property
    def silent(self) -> Sequence[str]:
        """A sentence for each part that could not be asked the last time, with the reason."""

    def canary_percents(self) -> Mapping[str, float]:
        """Returns the percent that each front end gives the canary, if the front end reports it.

        Raises:
            Refused: the source cannot be asked.
        """

    def look(self) -> Moment:
        """Returns the current moment.

        Raises:
            Refused: the source cannot be asked.
        """

    def look_back(self, seconds: int) -> tuple[Snapshot, float]:
        """Returns the counts of the last seconds, and how many seconds they cover.

        Raises:
            Refused: the source cannot be asked.
        """
