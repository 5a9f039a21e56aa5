"""What the tensors of a request must be, before anything is made of them.

TensorFlow Serving compares dtypes alone and leaves shapes to the graph, where one wrong rank can
end the process. All that runs a model asks `require_fit` first: predict, classify, regress and
warm-up, by REST and by gRPC.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from serving.local.errors import StatusError, invalid_argument
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import MAX_RANK, Array, data_type, from_proto, item_bytes

STRING_BYTES = 32
"""What an empty string takes: numpy's pointer and TensorFlow's `tstring`."""

_COLUMN = 2
"""The rank of a column, one number a row."""


class TensorLimits(NamedTuple):
    """The largest tensor of a request, whatever the model.

    Attributes:
        rows: along the first dimension, where each row is a string or an array of its own.
        tensor_bytes: once it is made, which may be much more than what was sent.
    """

    rows: int = 64
    tensor_bytes: int = 2**26


DEFAULT_TENSOR_LIMITS = TensorLimits()


def to_array(
    name: str, info: pb.TensorInfo, value: pb.TensorProto | Array, limits: TensorLimits
) -> Array:
    """Makes an array of a tensor that fits its input; else raises `INVALID_ARGUMENT`."""
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
    """Compares the dtype and shape of a tensor with its input's, and with the limits.

    `INVALID_ARGUMENT` names the input, what was expected and what was received.
    """
    wanted = _shape_of(info)
    if dtype != info.dtype:
        raise _misfit(name, f"to be {type_name(info.dtype)}", f"{type_name(dtype)} is provided")
    if any(size < 0 for size in shape) or not _fits(wanted, shape, is_string=dtype == pb.DT_STRING):
        expected = f"{type_name(info.dtype)} of shape {_text(wanted)}"
        raise _misfit(name, expected, f"shape {_text(shape)} is provided")
    _require_limits(name, info.dtype, shape, limits)


def _shape_of(info: pb.TensorInfo) -> list[int] | None:
    """The shape that an input wants, -1 for any size; None for any shape at all."""
    shape = info.tensor_shape
    if shape.unknown_rank or not info.HasField("tensor_shape"):
        return None
    return [dim.size for dim in shape.dim]


def _fits(wanted: Sequence[int] | None, shape: Sequence[int], *, is_string: bool) -> bool:
    """Whether a shape is the wanted one.

    Numbers may come as a column for a vector and the other way round, as the original takes them
    (043, 115, 315).
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
    """Refuses more dimensions than an array can have, in time for a reader of nested lists."""
    if rank > MAX_RANK:
        raise _misfit(name, f"to have at most {MAX_RANK} dimensions", f"{rank} are provided")


def _misfit(name: str, expected: str, received: str) -> StatusError:
    return invalid_argument(f"Expects input {name} {expected} but {received}.")


def _text(shape: Sequence[int] | None) -> str:
    return "unknown" if shape is None else f"[{','.join(map(str, shape))}]"


def type_name(number: int) -> str:
    """TensorFlow's name of a type: `float`, `int32`, `uint8`."""
    if number not in pb.DataType.values():
        return f"unknown dtype enum ({number})"
    return pb.DataType.Name(pb.DataType.ValueType(number)).removeprefix("DT_").lower()
