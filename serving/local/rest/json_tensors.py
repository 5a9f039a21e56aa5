"""Converts JSON values to arrays of a signature's types; errors name input, index and type.

Integers of fewer than 32 bits are not checked but wrap around (recorded case 046).
"""

from __future__ import annotations

import itertools
import json
import math
from base64 import b64decode
from typing import Any

import numpy as np

from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.inference.signature import require_rank, type_name
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import Array, empty

_READ_AS: dict[int, tuple[Any, set[type]]] = {
    **dict.fromkeys((pb.DT_INT8, pb.DT_INT16, pb.DT_UINT8, pb.DT_INT32), (np.int32, {int})),
    pb.DT_INT64: (np.int64, {int}),
    pb.DT_UINT32: (np.uint32, {int}),
    pb.DT_UINT64: (np.uint64, {int}),
    **dict.fromkeys((pb.DT_FLOAT, pb.DT_DOUBLE), (np.float64, {int, float, np.float64})),
    pb.DT_BOOL: (np.bool_, {bool}),
    pb.DT_STRING: (np.object_, {str, dict}),
}
"""The numpy type that values are read as, which refuses larger ones, and the JSON types allowed."""


def tensor(value: Any, name: str, info: pb.TensorInfo) -> Array:
    """Converts nested lists to an array of an input's type.

    `[]` means zero rows of the input's shape (recorded case 124). Raises `StatusError` for ragged
    or too deep lists, a value of another type, or a type without a form in JSON (UNIMPLEMENTED).
    """
    dtype = info.dtype
    flat, shape = _flatten(value, name)
    if shape == [0]:
        shape += [max(dim.size, 0) for dim in info.tensor_shape.dim[1:]]
    array = empty(() if flat else shape, dtype)
    if array is not None and not flat:
        return array
    if array is None or dtype not in _READ_AS:
        text = f"Input {name}: conversion of a JSON value to type: {type_name(dtype)}"
        raise StatusError(Code.UNIMPLEMENTED, text)
    try:
        with np.errstate(over="ignore"):
            return _convert(flat, dtype).astype(array.dtype, copy=False).reshape(shape)
    except (ValueError, OverflowError) as error:
        place = _first_misfit(flat, dtype)
        text = f"expected {type_name(dtype)}, received {describe(flat[place])} ({error})."
        raise _misfit(name, place, shape, text) from None


def _flatten(value: Any, name: str) -> tuple[list[Any], list[int]]:
    """Returns all values as a flat list, and the shape of the nested lists."""
    flat, shape = [value], list[int]()
    while flat and type(flat[0]) is list:
        size = len(flat[0])
        if set(map(type, flat)) != {list} or set(map(len, flat)) != {size}:
            fits = [type(item) is list and len(item) == size for item in flat]
            odd = fits.index(False)
            text = f"expected a list of {size} as in the first, received {describe(flat[odd])}."
            raise _misfit(name, odd, shape, text)
        shape.append(size)
        require_rank(len(shape), name)
        flat = list(itertools.chain.from_iterable(flat))
    return flat, shape


def _misfit(name: str, number: int, shape: list[int], text: str) -> StatusError:
    place = ",".join(map(str, np.unravel_index(number, shape)))
    return invalid_argument(f"Input {name}{f' at [{place}]' if shape else ''}: {text}")


def _first_misfit(flat: list[Any], dtype: int) -> int:
    """Returns the index of the first value that cannot be converted; there must be one."""
    start, end = 0, len(flat)
    while end - start > 1:
        middle = (start + end) // 2
        try:
            _convert(flat[start:middle], dtype)
            start = middle
        except (ValueError, OverflowError):
            end = middle
    return start


def _convert(flat: list[Any], dtype: int) -> Array:
    """Returns a flat array; raises `ValueError` or `OverflowError` if a value does not fit."""
    read_as, types = _READ_AS[dtype]
    if not set(map(type, flat)) <= types:
        raise ValueError("another JSON type")
    if read_as is np.object_:
        return np.array([string_bytes(item) for item in flat], np.object_)
    array = np.array(flat, read_as)
    # `Infinity` has numpy's type; an infinite Python float was a number too big for it.
    if np.isinf(array).any() and any(type(v) is float and abs(v) == math.inf for v in flat):
        raise ValueError("a number too big to be stored in double")
    return array


def describe(value: Any) -> str:
    """Returns a short description of a JSON value for error messages."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object with keys {','.join(value)[:200]}"
    return json.dumps(value[:40] if isinstance(value, str) else value)[:80]


def string_bytes(item: Any) -> bytes:
    """Returns the bytes of a string or `b64` object; raises `ValueError` for anything else."""
    if isinstance(item, str):
        return item.encode("utf-8", "surrogateescape")
    if not is_base64(item):
        raise ValueError('expected a string or {"b64": "..."}')
    # The `base64` command breaks lines, and padding may be missing.
    text = item["b64"].encode("ascii").translate(None, b" \t\r\n")
    return b64decode(text + b"=" * (-len(text) % 4), validate=True)


def is_base64(value: Any) -> bool:
    """Whether a value is `{"b64": "..."}` and nothing more (recorded case 036)."""
    return type(value) is dict and value.keys() == {"b64"} and isinstance(value["b64"], str)


def is_named(value: Any) -> bool:
    """Whether a value is an object of named inputs."""
    return type(value) is dict and not is_base64(value)
