"""Checks the dtype, shape and size of a request's tensors before the model runs.

TensorFlow Serving checks only dtypes and leaves shapes to the graph, where one wrong rank can end
the process. All code that runs a model calls `require_fit` first: predict, classify, regress and
warm-up, by REST and by gRPC.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from serving.local.errors import StatusError, invalid_argument
from serving.local.settings import Settings
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import MAX_RANK, Array, data_type, from_proto, item_bytes

STRING_BYTES = 32
"""Memory of an empty string: numpy's pointer and TensorFlow's `tstring`."""

_COLUMN = 2
"""The rank of a column, with one number in each row."""


class TensorLimits(NamedTuple):
    """The largest tensor of a request, for all models.

    Attributes:
        rows: largest first dimension of a tensor whose rows are strings or whole arrays.
        tensor_bytes: largest size in memory, which may be much more than the bytes sent.
    """

    rows: int
    tensor_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> TensorLimits:
        """Returns the limits that the flags set."""
        return cls(settings.max_batch_rows, settings.max_tensor_bytes)


DEFAULT_TENSOR_LIMITS = TensorLimits.of(Settings())


def to_array(
    name: str, info: pb.TensorInfo, value: pb.TensorProto | Array, limits: TensorLimits
) -> Array:
    """Converts a tensor that fits its input to an array; otherwise raises `INVALID_ARGUMENT`."""
    if not isinstance(value, pb.TensorProto):
        require_fit(name, info, data_type(value), value.shape, limits)
        return value
    shape = [dim.size for dim in value.tensor_shape.dim]
    require_fit(name, info, value.dtype, shape, limits)
    try:
        return from_proto(value)
    except ValueError as error:
        raise invalid_argument(f"tensor parsing error: {name}: {error}") from error


def require_fit(
    name: str, info: pb.TensorInfo, dtype: int, shape: Sequence[int], limits: TensorLimits
) -> None:
    """Checks a tensor's dtype and shape against the input and the limits.

    Raises `INVALID_ARGUMENT`, which names the input and the expected and received values.
    """
    wanted = _shape_of(info)
    if dtype != info.dtype:
        raise _misfit(name, f"to be {type_name(info.dtype)}", f"{type_name(dtype)} is provided")
    if any(size < 0 for size in shape) or not _fits(wanted, shape, is_string=dtype == pb.DT_STRING):
        expected = f"{type_name(info.dtype)} of shape {_text(wanted)}"
        raise _misfit(name, expected, f"shape {_text(shape)} is provided")
    _require_limits(name, info.dtype, shape, limits)


def _shape_of(info: pb.TensorInfo) -> list[int] | None:
    """Returns the shape of an input, with -1 for any size; None for any shape."""
    shape = info.tensor_shape
    if shape.unknown_rank or not info.HasField("tensor_shape"):
        return None
    return [dim.size for dim in shape.dim]


def _fits(wanted: Sequence[int] | None, shape: Sequence[int], *, is_string: bool) -> bool:
    """Returns whether a shape is the wanted one.

    As in the original, a column of numbers fits a vector and vice versa (cases 043, 115, 315).
    """
    if wanted is None:
        return True
    rank = len(wanted)
    if not is_string and max(rank, len(shape)) <= _COLUMN:
        wanted, shape = _column(wanted), _column(shape)
    elif rank != len(shape):
        return False
    return all(size in (-1, got) for size, got in zip(wanted, shape, strict=True))


def _column(shape: Sequence[int]) -> list[int]:
    return [*shape, *[1] * (_COLUMN - len(shape))]


def _require_limits(name: str, dtype: int, shape: Sequence[int], limits: TensorLimits) -> None:
    is_string = dtype == pb.DT_STRING
    if shape and shape[0] > limits.rows and (is_string or len(shape) > 1):
        rows = f"at most {limits.rows} rows (--max_batch_rows)"
        raise _misfit(name, f"to have {rows}", f"{shape[0]} are provided")
    size = math.prod(shape) * (STRING_BYTES if is_string else item_bytes(dtype))
    if size > limits.tensor_bytes:
        most = f"to take at most {limits.tensor_bytes} bytes (--max_tensor_bytes)"
        raise _misfit(name, most, f"shape {_text(shape)} takes {size}")


def require_rank(rank: int, name: str) -> None:
    """Refuses more dimensions than an array can have; for use while nested lists are read."""
    if rank > MAX_RANK:
        raise _misfit(name, f"to have at most {MAX_RANK} dimensions", f"{rank} are provided")


def _misfit(name: str, expected: str, received: str) -> StatusError:
    return invalid_argument(f"Expects input {name} {expected} but {received}.")


def _text(shape: Sequence[int] | None) -> str:
    return "unknown" if shape is None else f"[{','.join(map(str, shape))}]"


def type_name(number: int) -> str:
    """Returns TensorFlow's name of a type: `float`, `int32`, `uint8`."""
    if number not in pb.DataType.values():
        return f"unknown dtype enum ({number})"
    return pb.DataType.Name(pb.DataType.ValueType(number)).removeprefix("DT_").lower()
