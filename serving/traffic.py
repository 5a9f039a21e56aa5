"""The traffic file: which share of the requests a version on trial gets, by model.

`serving.rollout` writes it, the front end reads it. A model that is not in it has no trial, and a
file that is not there means none at all:

    {"us_bills": {"canary": 2, "percent": 10, "shadow": false, "by": "client"}}

A file of before there were several models holds one such split and no name. It is about the first
model of `models.config`, the classifier.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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


NO_CANARY = Traffic()


@dataclass(frozen=True)
class Splits:
    """The file's content.

    Attributes:
        by_model: the split of each model that has had a trial, by the model's name.
    """

    by_model: Mapping[str, Traffic] = field(default_factory=dict)

    def of(self, model: str) -> Traffic:
        """The split of a model; no trial where the file does not name it."""
        return self.by_model.get(model, NO_CANARY)

    def changed(self, model: str, traffic: Traffic) -> Splits:
        """Another split for one model; those of the others stay."""
        return Splits({**self.by_model, model: traffic})

    def text(self) -> str:
        """The file's text."""
        return (
            json.dumps({name: asdict(one) for name, one in self.by_model.items()}, indent=1) + "\n"
        )


def read(file: Path, first: str) -> Splits:
    """Reads the file; see `parse`.

    Raises:
        OSError: it is missing, or cannot be read.
        ValueError: it is no such file; names the expected and the actual content.
    """
    return parse(files.read_text(file), first)


def parse(text: str, first: str) -> Splits:
    """Reads the file's text.

    Args:
        text: the file's.
        first: the model that a file of before is about, which holds one split and no name.

    Raises:
        ValueError: names the expected and the actual content.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected JSON. Received: {text[:80]!r} ({error})") from error
    if not isinstance(document, dict):
        raise ValueError(
            f"Expected an object with one for each model. Received: {_short(document)}."
        )
    if not all(isinstance(one, dict) for one in document.values()):
        document = {first: document}
    return Splits({name: _split(name, one) for name, one in document.items()})


def _split(model: str, document: dict[str, Any]) -> Traffic:
    if document.keys() - asdict(NO_CANARY).keys():
        known = ", ".join(asdict(NO_CANARY))
        raise ValueError(
            f"Expected for {model} an object with {known}. Received: {_short(document)}."
        )
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
