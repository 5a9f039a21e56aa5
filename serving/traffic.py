"""The traffic file: which share of the requests a version on trial gets.

`serving.rollout` writes it, the front end reads it. A file that is not there means no trial:

    {"canary": 2, "percent": 10, "shadow": false, "by": "client"}
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from serving import files

BUCKETS = 10_000
"""Clients are numbered 0 to 9,999, so a share is exact to a hundredth of a percent."""

VERSIONS = range(2**63)
"""What the protocol has room for, an int64, without those below 0."""
BY_CLIENT, BY_REQUEST = "client", "request"

_STRIDE = 3_331


@dataclass(frozen=True)
class Traffic:
    """How requests that ask for no certain version are shared out.

    Attributes:
        canary: the version on trial, or None.
        percent: share that it answers, 0 to 100; stable answers the others.
        shadow: whether it gets copies of stable's requests, to compare the answers.
        by: whose share: `client`, each of which stays with one version, or `request`, each of which
            is led anew, which also shares out the requests of a single client.
    """

    canary: int | None = None
    percent: float = 0.0
    shadow: bool = False
    by: str = BY_CLIENT

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


def read(file: Path) -> Traffic:
    """Reads the file.

    Raises:
        OSError: it is missing, or cannot be read.
        ValueError: it is no such file; names the expected and the actual content.
    """
    return parse(files.read_text(file))


def parse(text: str) -> Traffic:
    """Reads the file's content.

    Raises:
        ValueError: names the expected and the actual content.
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
    version = traffic.canary
    if version is not None and (type(version) is not int or version not in VERSIONS):
        raise ValueError(f"Expected a version number as canary. Received: {_short(version)}.")
    if type(traffic.percent) not in (int, float) or not 0 <= traffic.percent <= 100:
        raise ValueError(f"Expected a percent from 0 to 100. Received: {_short(traffic.percent)}.")
    if type(traffic.shadow) is not bool:
        raise ValueError(f"Expected true or false as shadow. Received: {_short(traffic.shadow)}.")
    if traffic.by not in (BY_CLIENT, BY_REQUEST):
        expected = f"{BY_CLIENT} or {BY_REQUEST}"
        raise ValueError(f"Expected by to be {expected}. Received: {_short(traffic.by)}.")


def _short(value: object) -> str:
    return repr(value)[:80]
