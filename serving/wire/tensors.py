"""Numpy arrays to `TensorProto` and back, for client and server alike.

The rules are TensorFlow's: a tensor's values are either in `tensor_content` (raw bytes, little
endian, C order; for strings see `string_lists`) or in the `*_val` field of its type, where a short
list repeats its last value and an empty one means zeros. Strings are object arrays of `bytes`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from serving.wire import messages_pb2 as pb
from serving.wire import string_lists

Array = np.ndarray[Any, np.dtype[Any]]

MAX_ELEMENTS = 2**26
"""Most elements to which a short `*_val` list, a few bytes on the wire, is expanded."""

MAX_RANK = 64
"""Numpy's limit; TensorFlow's own is 254."""


class _Kind(NamedTuple):
    """One row of the type table: the `*_val` field and the numpy type of its entries."""

    dtype: Any
    field: str
    stored: Any


_KINDS: dict[int, _Kind] = {
    pb.DT_FLOAT: _Kind(np.float32, "float_val", np.float32),
    pb.DT_DOUBLE: _Kind(np.float64, "double_val", np.float64),
    pb.DT_INT32: _Kind(np.int32, "int_val", np.int32),
    pb.DT_UINT8: _Kind(np.uint8, "int_val", np.int32),
    pb.DT_INT16: _Kind(np.int16, "int_val", np.int32),
    pb.DT_INT8: _Kind(np.int8, "int_val", np.int32),
    pb.DT_STRING: _Kind(np.object_, "string_val", np.object_),
    pb.DT_COMPLEX64: _Kind(np.complex64, "scomplex_val", np.float32),
    pb.DT_INT64: _Kind(np.int64, "int64_val", np.int64),
    pb.DT_BOOL: _Kind(np.bool_, "bool_val", np.bool_),
    pb.DT_UINT16: _Kind(np.uint16, "int_val", np.int32),
    pb.DT_COMPLEX128: _Kind(np.complex128, "dcomplex_val", np.float64),
    pb.DT_HALF: _Kind(np.float16, "half_val", np.uint16),
    pb.DT_UINT32: _Kind(np.uint32, "uint32_val", np.uint32),
    pb.DT_UINT64: _Kind(np.uint64, "uint64_val", np.uint64),
}
_BY_NAME: dict[str, Any] = {
    **{np.dtype(kind.dtype).name: number for number, kind in _KINDS.items()},
    "bfloat16": pb.DT_BFLOAT16,
}
# Faster than by name: numpy builds a dtype's name at each access, in some ten microseconds.
_BY_TYPE: dict[type, Any] = {np.dtype(kind.dtype).type: number for number, kind in _KINDS.items()}


def data_type(array: Array) -> pb.DataType:
    """Returns the `DataType` of an array.

    Raises:
        ValueError: the array's dtype has no counterpart.
    """
    if array.dtype.kind in "SUO":
        return pb.DT_STRING
    number: pb.DataType | None = _BY_TYPE.get(array.dtype.type)
    if number is None:
        number = _BY_NAME.get(array.dtype.name)
    if number is None:
        raise ValueError(f"No tensor type for numpy dtype {array.dtype}.")
    return number


def to_proto(array: Array, *, as_values: bool = False) -> pb.TensorProto:
    """Encodes an array.

    Args:
        array: any shape; strings as object arrays of `bytes` or `str`, or numpy's S and U types.
        as_values: fill the `*_val` field, as TensorFlow Serving's replies do (recorded case 400),
            in place of the faster `tensor_content`.

    Raises:
        ValueError: a dtype or an object that no tensor can hold.
    """
    number = data_type(array)
    proto = pb.TensorProto(dtype=number, tensor_shape=pb.TensorShapeProto())
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if number == pb.DT_STRING:
        proto.string_val.extend(_as_bytes(array.ravel().tolist()))
        return proto
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    if as_values:
        kind = _kind(number)
        getattr(proto, kind.field).extend(_as_stored(native.ravel(), kind).tolist())
    else:
        proto.tensor_content = native.tobytes()
    return proto


def from_proto(proto: pb.TensorProto) -> Array:
    """Decodes a tensor.

    Returns:
        An array of the tensor's shape and dtype; strings as an object array of `bytes`.

    Raises:
        ValueError: unknown dtype, negative or unknown dimension, or a `tensor_content` that does
            not fit (recorded cases 443 to 447).
    """
    kind = _kind(proto.dtype)
    shape = _shape(proto.tensor_shape)
    count = math.prod(shape)
    if not count:
        # TensorFlow ignores the values of an empty tensor.
        return np.empty(shape, kind.dtype)
    if proto.tensor_content:
        flat = _from_content(proto.tensor_content, kind, count)
    else:
        flat = _from_values(getattr(proto, kind.field), kind, count)
    return flat.reshape(shape)


def empty(shape: Sequence[int], number: int) -> Array | None:
    """Returns an uninitialized array; None if the type is unsupported."""
    try:
        return np.empty(shape, _kind(number).dtype)
    except ValueError:
        return None


def item_bytes(number: int) -> int:
    """Returns the bytes of one element: 8, a pointer, for a string; 2 if numpy has no such type."""
    kind = _KINDS.get(number)
    return np.dtype(kind.dtype).itemsize if kind else 2


def _kind(number: int) -> _Kind:
    if number == pb.DT_BFLOAT16:
        return _Kind(_bfloat16(), "half_val", np.uint16)
    kind = _KINDS.get(number)
    if kind is None:
        raise ValueError(f"Unsupported tensor type: {number}.")
    return kind


def _bfloat16() -> Any:
    """Returns the type that is installed with TensorFlow; a client may lack it."""
    try:
        from ml_dtypes import bfloat16
    except ImportError as error:
        raise ValueError("bfloat16 tensors need the package ml_dtypes.") from error
    return bfloat16


def _shape(proto: pb.TensorShapeProto) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in proto.dim)
    if proto.unknown_rank or any(size < 0 for size in shape):
        raise ValueError(f"A tensor needs a known shape. Received: {list(shape)}.")
    if len(shape) > MAX_RANK:
        raise ValueError(f"At most {MAX_RANK} dimensions are supported. Received: {len(shape)}.")
    return shape


def _from_content(content: bytes, kind: _Kind, count: int) -> Array:
    if kind.dtype is np.object_:
        return _objects(string_lists.decode(content, count))
    expected = count * np.dtype(kind.dtype).itemsize
    if len(content) != expected:
        raise ValueError(f"tensor_content needs {expected} bytes. Received: {len(content)}.")
    if kind.dtype is np.bool_ and content.strip(b"\0\1"):
        raise ValueError("tensor_content holds a bool that is neither 0 nor 1.")
    return np.frombuffer(content, kind.dtype)


def _from_values(values: Collection[Any], kind: _Kind, count: int) -> Array:
    if count > max(MAX_ELEMENTS, len(values)):
        raise ValueError(f"At most {MAX_ELEMENTS} values are expanded. Received shape of {count}.")
    given = _from_stored(list(values), kind)[:count]
    if len(given) == count:
        return given
    if len(given) <= 1:
        # The array takes a few bytes, as on the wire, until it is copied.
        only = given[0] if len(given) else _zero(kind)
        return np.broadcast_to(np.array(only, kind.dtype), count)
    flat = np.empty(count, kind.dtype)
    flat[: len(given)] = given
    flat[len(given) :] = given[-1]
    return flat


def _zero(kind: _Kind) -> Any:
    return b"" if kind.dtype is np.object_ else 0


def _from_stored(values: list[Any], kind: _Kind) -> Array:
    if kind.dtype is np.object_:
        return _objects(values)
    if "complex" in kind.field:
        # Two entries are one value; a last entry without a partner is ignored.
        return np.array(values[: len(values) // 2 * 2], kind.stored).view(kind.dtype)
    stored = np.array(values, np.int64 if kind.field == "half_val" else kind.stored)
    if kind.field == "half_val":
        return stored.astype(np.uint16).view(kind.dtype)
    return stored.astype(kind.dtype)


def _objects(values: list[Any]) -> Array:
    flat = np.empty(len(values), np.object_)
    flat[:] = values
    return flat


def _as_stored(flat: Array, kind: _Kind) -> Array:
    if kind.field == "half_val" or "complex" in kind.field:
        return flat.view(kind.stored)
    return flat


def _as_bytes(values: list[Any]) -> list[bytes]:
    return [_one_as_bytes(value) for value in values]


def _one_as_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, bytes):
        raise ValueError(f"A string tensor holds bytes or str. Received: {type(value).__name__}.")
    return value
