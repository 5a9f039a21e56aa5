"""Arrays as JSON and back, for REST."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.wire.tensors import Array

# A byte is written as three characters and a comma; JSON allows blanks before a number.
_BYTES = np.array([f"{value:3d}," for value in range(256)], "S4").view(np.uint8).reshape(256, 4)


def predict_body(signature: str, inputs: Mapping[str, Array]) -> bytes:
    """Returns the body of a prediction request in column form."""
    columns = b",".join(
        json.dumps(name).encode() + b":" + dumps(np.asarray(array))
        for name, array in inputs.items()
    )
    return b'{"signature_name":%b,"inputs":{%b}}' % (json.dumps(signature).encode(), columns)


def dumps(array: Array) -> bytes:
    """Encodes an array as nested lists, with `bytes` as base64."""
    if array.dtype == np.uint8 and array.ndim and array.size:
        return _lists_of_bytes(array)
    return json.dumps(_jsonable(array)).encode()


def array_of(value: Any) -> Array:
    """Converts JSON to an array: float32, int64, bool, or object for strings.

    Raises:
        KeyError, TypeError, ValueError: the value is no array.
    """
    array = np.array(value, np.object_)
    kinds: set[type] = {type(item) for item in array.flat}
    if kinds & {str, dict}:
        return np.asarray(np.frompyfunc(_bytes, 1, 1)(array), np.object_)
    if kinds == {bool}:
        return array.astype(np.bool_)
    return array.astype(np.int64 if kinds == {int} else np.float32)


def _lists_of_bytes(array: Array) -> bytes:
    """Encodes pictures ten times as fast as `json`, which checks the type of 600,000 numbers."""
    text = _BYTES[array]
    # From the innermost lists outwards: n texts of w letters, each with its comma, become one.
    while text.ndim > 1:
        *outer, n, w = text.shape
        lists = np.empty((*outer, n * w + 2), np.uint8)
        lists[..., 0] = ord("[")
        lists[..., 1:-1] = text.reshape(*outer, n * w)
        lists[..., -2:] = ord("]"), ord(",")
        text = lists
    return text[:-1].tobytes()


def _jsonable(array: Array) -> Any:
    if array.dtype.kind not in "SUO":
        return array.tolist()
    texts = np.frompyfunc(_json_string, 1, 1)(array.astype(np.object_))
    return texts.tolist() if isinstance(texts, np.ndarray) else texts


def _json_string(value: str | bytes) -> str | dict[str, str]:
    return value if isinstance(value, str) else {"b64": b64encode(value).decode()}


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return b64decode(value["b64"])
