"""When a reply says the same as a recorded one, on another processor and in another run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from google.protobuf.message import Message

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_FUNCTION = re.compile(r"(\{\{function_node \w+?_)\d+\}\}")


def close_json(ours: bytes, theirs: bytes, tolerance: float = 1e-5) -> bool:
    """Whether two bodies have the same JSON value.

    Numbers are compared as they are written, but for their last digits: another processor
    computed them.
    """
    return _close(_loads(ours), _loads(theirs), tolerance)


def any_order(text: str) -> str:
    """An error's text without what another run may word differently.

    TensorFlow numbers the functions of a model anew at each export, and of two ops that both fail
    either may be the first to say so (case 449).
    """
    text = _FUNCTION.sub(r"\g<1>#}}", text)
    return text.replace("{{node mul}}", "{{node add}}")


def without_numbers(text: str) -> str:
    """A message's text, each number replaced by `#`."""
    return _NUMBER.sub("#", text)


def numbers(message: Message | None) -> Iterator[float]:
    """All numbers of a message's text, in order."""
    yield from map(float, _NUMBER.findall(str(message)))


def _loads(body: bytes) -> Any:
    text = body.decode("utf-8", "surrogateescape")
    return json.loads(text, parse_float=_NumberText, parse_int=_NumberText)


class _NumberText(str):
    """A JSON number as it was written."""


def _close(ours: Any, theirs: Any, tolerance: float) -> bool:
    if isinstance(ours, _NumberText) and isinstance(theirs, _NumberText):
        return ours == theirs or _computed_apart(ours, theirs, tolerance)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = ours.keys() == theirs.keys()
        return keys and all(_close(ours[k], theirs[k], tolerance) for k in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        pairs = zip(ours, theirs, strict=False)
        return len(ours) == len(theirs) and all(_close(a, b, tolerance) for a, b in pairs)
    same_type = type(ours) is type(theirs)
    return same_type and bool(ours == theirs or (ours != ours and theirs != theirs))


def _computed_apart(ours: str, theirs: str, tolerance: float) -> bool:
    """Whether two texts of numbers differ because the numbers do; of one number there is one."""
    a, b = float(ours), float(theirs)
    same_kind = ours.isdecimal() == theirs.isdecimal()
    with np.errstate(over="ignore"):
        return same_kind and np.float32(a) != np.float32(b) and near(a, b, tolerance)


def near(a: float, b: float, tolerance: float) -> bool:
    """Whether two numbers differ by no more than a share of the larger."""
    return abs(a - b) <= tolerance * max(abs(a), abs(b))
