"""Decides whether a reply equals a recorded one, by what a client can act on.

- The status, the gRPC code and the `Content-Type` are equal.
- A reply without error has an equal JSON value or message. The notation of numbers is ignored, and
  so are their last digits, because another processor computed them.
- An error has a text, in its own words. The text names each input, key, label, model, type and
  shape that the recorded text names.
  For a request whose text is not JSON, it need not name anything.
- The reply to HEAD has no body, although the original sends one. Nothing is compared with an empty
  body of the original.
- For a page (`text/html`) of the original's HTTP library, only the status is compared.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator
from typing import Any

from google.protobuf.message import Message

from serving.wire import messages_pb2 as pb

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(r"[A-Za-z_]\w*")
_SHAPE = re.compile(r"(?<!\w)\[\d+(?:,\d+)*\]")
_ECHO = re.compile(r"JSON (?:Value|object): ")
_DUMP = re.compile(r"(?:SignatureDef|Signature was): .*", re.DOTALL)
_PARSE_ERROR = "JSON Parse error"

TYPES = frozenset(
    name.removeprefix("DT_").lower()
    for name in pb.DataType.keys()  # noqa: SIM118 - no mapping
)


def same_json(ours: bytes, theirs: bytes, tolerance: float = 1e-5) -> bool:
    """Whether two bodies have the same JSON value."""
    return _same(_loads(ours), _loads(theirs), tolerance)


def lost_names(ours: str, theirs: str, known: Collection[str]) -> set[str]:
    """What a recorded error names and ours does not.

    Args:
        ours: our text.
        theirs: the recorded text.
        known: the names that an error may be about: those of the request and of the models.
    """
    if theirs.startswith(_PARSE_ERROR):
        return set()
    text = _DUMP.sub("", _without_echo(theirs))
    said = words(text) & (TYPES | set(known)) | set(_SHAPE.findall(text))
    return said - words(ours) - set(_SHAPE.findall(ours))


def words(text: str) -> set[str]:
    """The words and names of a text."""
    return set(_WORD.findall(text))


def error_of(body: bytes) -> str:
    """The text of an error's body; empty where it has none."""
    value = _loads(body) if body else {}
    return str(value.get("error", "")) if isinstance(value, dict) else ""


def without_numbers(text: str) -> str:
    """A message's text, each number replaced by `#`."""
    return _NUMBER.sub("#", text)


def numbers(message: Message | str | None) -> Iterator[float]:
    """All numbers of a message's text, in order."""
    yield from map(float, _NUMBER.findall(str(message)))


def near(a: float, b: float, tolerance: float = 1e-5) -> bool:
    """Whether two numbers differ by no more than a share of the larger."""
    return a == b or abs(a - b) <= tolerance * max(abs(a), abs(b)) < math.inf


def _loads(body: bytes) -> Any:
    return json.loads(body.decode("utf-8", "surrogateescape"))


def _without_echo(text: str) -> str:
    """An error's text without the values of the request that it repeats."""
    while match := _ECHO.search(text):
        rest = text[match.end() :]
        try:
            rest = rest[json.JSONDecoder().raw_decode(rest)[1] :]
        except json.JSONDecodeError:
            rest = rest.partition(" ")[2]
        text = text[: match.start()] + rest
    return text


def _same(ours: Any, theirs: Any, tolerance: float) -> bool:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = ours.keys() == theirs.keys()
        return keys and all(_same(ours[k], theirs[k], tolerance) for k in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        pairs = zip(ours, theirs, strict=False)
        return len(ours) == len(theirs) and all(_same(a, b, tolerance) for a, b in pairs)
    if isinstance(ours, float) or isinstance(theirs, float):
        return _is_number(ours) and _is_number(theirs) and _same_float(ours, theirs, tolerance)
    return type(ours) is type(theirs) and bool(ours == theirs)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same_float(a: float, b: float, tolerance: float) -> bool:
    return near(a, b, tolerance) or (a != a and b != b)
