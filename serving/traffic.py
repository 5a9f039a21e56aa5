"""The traffic file: for each model, the share of requests that its canary version answers.

`serving.rollout` writes the file and the front end reads it. A model that is not in the file has no
canary, and a missing file means that no model has one:

    {"us_bills": {"canary": 2, "percent": 10, "shadow": false, "by": "client"}}

A file in the older format, for a single model, holds one such split and no model name. It applies
to the first model of `models.config`, the classifier.
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
"""Valid version numbers: the protocol's int64 values, without negative ones."""
BY_CLIENT, BY_REQUEST = "client", "request"

_STRIDE = 3_331


def version_number(text: str) -> int | None:
    """Returns the version number that a text is; None for any other text."""
    # `int` also reads signs, spaces and other digits, and no text of thousands of digits.
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        return None
    return int(text) if int(text) in VERSIONS else None


@dataclass(frozen=True)
class Traffic:
    """A model's split: how requests that name no version go to stable and canary.

    Attributes:
        canary: the canary version, or None.
        percent: share of requests that the canary answers, 0 to 100; stable answers the others.
        shadow: whether the canary gets copies of stable's requests, to compare the answers.
        by: `client` keeps each client on one version; `request` chooses a version for each request,
            which also divides the requests of a single client.
    """

    canary: int | None = None
    percent: float = 0.0
    shadow: bool = False
    by: str = BY_CLIENT

    def takes(self, bucket: int) -> bool:
        """Returns whether the canary answers the clients of a bucket, 0 to `BUCKETS` - 1.

        A larger share includes the clients of a smaller one. The buckets of each version start
        elsewhere, so that it is not always the same clients that get a canary.
        """
        if self.canary is None:
            return False
        return (bucket + _STRIDE * self.canary) % BUCKETS < self.percent * BUCKETS / 100


NO_CANARY = Traffic()


@dataclass(frozen=True)
class Splits:
    """The content of the traffic file.

    Attributes:
        by_model: the split of each model that has or had a canary, by model name.
    """

    by_model: Mapping[str, Traffic] = field(default_factory=dict)

    def of(self, model: str) -> Traffic:
        """Returns the split of a model; one without a canary if the file does not name it."""
        return self.by_model.get(model, NO_CANARY)

    def changed(self, model: str, traffic: Traffic) -> Splits:
        """Returns a copy with another split for one model."""
        return Splits({**self.by_model, model: traffic})

    def text(self) -> str:
        """Returns the file's text."""
        return (
            json.dumps({name: asdict(one) for name, one in self.by_model.items()}, indent=1) + "\n"
        )


def read(file: Path, first: str) -> Splits:
    """Reads the file; see `parse`.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: the file is invalid; names the expected and the actual content.
    """
    return parse(files.read_text(file), first)


def parse(text: str, first: str) -> Splits:
    """Reads the file's text.

    Args:
        text: the content of the file.
        first: the model to which a file in the older format, without a model name, applies.

    Raises:
        ValueError: the text is invalid; names the expected and the actual content.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected JSON. Received: {text[:80]!r} ({error})") from error
    if not isinstance(document, dict):
        raise ValueError(
            f"Expected an object with one for each model. Received: {_short(document)}."
        )
    if document and not any(isinstance(one, dict) for one in document.values()):
        document = {first: document}
    return Splits({name: _split(name, one) for name, one in document.items()})


def _split(model: str, document: Any) -> Traffic:
    if not isinstance(document, dict) or document.keys() - asdict(NO_CANARY).keys():
        known = ", ".join(asdict(NO_CANARY))
        raise ValueError(
            f"Expected for {model} an object with {known}. Received: {_short(document)}."
        )
    traffic = Traffic(**document)
    _require(traffic)
    return traffic


def _require(traffic: Traffic) -> None:
    # In Python a bool is an int, but it is not a valid version or percentage.
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
