"""The traffic file: which share of the requests a version on trial gets.

`serving.rollout` writes it, the front end reads it. A file that is not there means no trial:

    {"canary": 2, "percent": 10, "shadow": false}
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

BUCKETS = 10_000
"""Clients are numbered 0 to 9,999, so a share is exact to a hundredth of a percent."""

_STRIDE = 3_331


@dataclass(frozen=True)
class Traffic:
    """How requests that ask for no certain version are shared out.

    Attributes:
        canary: the version on trial, or None.
        percent: share of the clients that it answers, 0 to 100; stable answers the others.
        shadow: whether it gets copies of stable's requests, to compare the answers.
    """

    canary: int | None = None
    percent: float = 0.0
    shadow: bool = False

    def takes(self, bucket: int) -> bool:
        """Whether the canary answers the clients of a bucket, 0 to `BUCKETS` - 1.

        A larger share keeps the clients of a smaller one. Every version begins elsewhere, so that
        not always the same people try what is new.
        """
        if self.canary is None:
            return False
        return (bucket + _STRIDE * self.canary) % BUCKETS < self.percent * BUCKETS / 100

    def text(self) -> str:
        """The file's content."""
        return json.dumps(asdict(self), indent=1) + "\n"


NO_CANARY = Traffic()


def parse(text: str) -> Traffic:
    """Reads the file's content.

    Raises:
        ValueError: says what was expected and what came.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected JSON. Received: {text[:80]!r} ({error})") from error
    if not isinstance(document, dict) or document.keys() - asdict(NO_CANARY).keys():
        raise ValueError(f"Expected an object with {', '.join(asdict(NO_CANARY))}.")
    traffic = Traffic(**document)
    _require(traffic)
    return traffic


def _require(traffic: Traffic) -> None:
    # A bool is an int to Python, and no version and no share to anybody else.
    if traffic.canary is not None and type(traffic.canary) is not int:
        raise ValueError(f"Expected a version number as canary. Received: {traffic.canary!r}.")
    if type(traffic.percent) not in (int, float) or not 0 <= traffic.percent <= 100:
        raise ValueError(f"Expected a percent from 0 to 100. Received: {traffic.percent!r}.")
    if type(traffic.shadow) is not bool:
        raise ValueError(f"Expected true or false as shadow. Received: {traffic.shadow!r}.")
