"""Nested JSON lists to arrays, the short way through numpy.

Integers are not checked against the narrow types, they wrap around (recorded case 046).
"""

from __future__ import annotations

import binascii
import itertools
from base64 import b64decode
from typing import Any

import numpy as np

from serving.local.json_literals import as_rapidjson_reads
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import MAX_RANK, Array, empty

_INT32, _INT64 = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
_RANGES: dict[int, tuple[int, int]] = {
    pb.DT_INT32: _INT32, pb.DT_INT16: _INT32, pb.DT_INT8: _INT32, pb.DT_UINT8: _INT32,
    pb.DT_INT64: _INT64, pb.DT_UINT32: (0, 2**32 - 1), pb.DT_UINT64: (0, 2**64 - 1),
}  # fmt: skip
NUMPY_TYPES: dict[int, Any] = {
    pb.DT_FLOAT: np.float32, pb.DT_DOUBLE: np.float64, pb.DT_BOOL: np.bool_,
    pb.DT_INT32: np.int32, pb.DT_INT16: np.int16, pb.DT_INT8: np.int8, pb.DT_UINT8: np.uint8,
    pb.DT_INT64: np.int64, pb.DT_UINT32: np.uint32, pb.DT_UINT64: np.uint64,
    pb.DT_STRING: np.object_,
}  # fmt: skip
_FLOATS = (pb.DT_FLOAT, pb.DT_DOUBLE)
_SPACE = dict.fromkeys(map(ord, " \t\n\v\f\r"))


def dense(value: Any, dtype: int) -> Array | None:
    """Converts nested lists at once.

    Args:
        value: a JSON value.
        dtype: the `DataType` that the signature asks for.

    Returns:
        An array, or None where anything is unusual; `json_faults` then finds out what.
    """
    shape: list[int] = []
    flat = [value]
    while flat and isinstance(flat[0], list):
        size = len(flat[0])
        if any(type(item) is not list or len(item) != size for item in flat):
            return None
        shape.append(size)
        flat = list(itertools.chain.from_iterable(flat))
    if len(shape) > MAX_RANK:
        return None
    if not flat and dtype not in NUMPY_TYPES:
        return empty(shape, dtype)
    converted = convert(flat, dtype)
    return None if converted is None else converted.reshape(shape)


def convert(flat: list[Any], dtype: int) -> Array | None:
    """Converts values without lists; None where one of them does not fit the type."""
    kinds = set(map(type, flat))
    if dtype == pb.DT_STRING:
        return _strings(flat) if kinds <= {str, dict} else None
    if dtype in _FLOATS and kinds <= {int, float}:
        return _floats(flat, dtype)
    if dtype == pb.DT_BOOL and kinds <= {bool}:
        return np.array(flat, np.bool_)
    if dtype in _RANGES and kinds <= {int}:
        return _integers(flat, dtype)
    return None


def _floats(flat: list[Any], dtype: int) -> Array:
    if dtype == pb.DT_DOUBLE:
        flat = [as_rapidjson_reads(item) if type(item) is float else item for item in flat]
    with np.errstate(over="ignore"):
        return np.array(flat, np.float64).astype(NUMPY_TYPES[dtype])


def _integers(flat: list[int], dtype: int) -> Array | None:
    lowest, highest = _RANGES[dtype]
    if flat and (min(flat) < lowest or max(flat) > highest):
        return None
    wide = np.uint64 if dtype == pb.DT_UINT64 else np.int64
    return np.array(flat, wide).astype(NUMPY_TYPES[dtype])


def _strings(flat: list[Any]) -> Array | None:
    strings = np.empty(len(flat), np.object_)
    for position, item in enumerate(flat):
        if isinstance(item, dict) and not is_base64(item):
            return None
        decoded = string_bytes(item)
        if decoded is None:
            return None
        strings[position] = decoded
    return strings


def string_bytes(item: str | dict[str, str]) -> bytes | None:
    """The bytes of a string or of a `b64` object; None where it cannot be decoded."""
    if isinstance(item, str):
        return item.encode("utf-8", "surrogateescape")
    return _unbase64(item["b64"])


def _unbase64(text: str) -> bytes | None:
    """The standard alphabet; padding may be missing, but not be of the wrong length.

    Space counts nowhere, and a point pads as `=` does. None where it cannot be decoded.
    """
    bare = text.translate(_SPACE)
    data = bare.rstrip("=.")
    padding = "=" * (-len(data) % 4)
    if len(bare) - len(data) not in (0, len(padding)):
        return None
    try:
        return b64decode(data + padding, validate=True)
    except (binascii.Error, ValueError):
        return None


def is_base64(value: Any) -> bool:
    """Whether a value is `{"b64": "..."}` and nothing more (recorded case 036)."""
    # Not an object that has it twice.
    return type(value) is dict and value.keys() == {"b64"} and isinstance(value["b64"], str)


def is_named(value: Any) -> bool:
    """Whether a value is an object of named inputs."""
    return isinstance(value, dict) and not is_base64(value)
