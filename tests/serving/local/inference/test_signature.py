"""A tensor is checked against its input and its limits before an array is made from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from serving.local.errors import Code, StatusError
from serving.local.inference.signature import TensorLimits, require_fit, to_array
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import to_proto

LIMITS = TensorLimits(rows=4, tensor_bytes=1000)


def info(dtype: pb.DataType, *shape: int) -> pb.TensorInfo:
    sizes = [pb.TensorShapeProto.Dim(size=size) for size in shape]
    return pb.TensorInfo(dtype=dtype, tensor_shape=pb.TensorShapeProto(dim=sizes))


PICTURES = info(pb.DT_UINT8, -1, 4, 4, 3)
STRINGS = info(pb.DT_STRING, -1)
NUMBERS = info(pb.DT_FLOAT, -1)
ANYTHING = pb.TensorInfo(dtype=pb.DT_FLOAT, tensor_shape=pb.TensorShapeProto(unknown_rank=True))


@pytest.mark.parametrize(
    ("wanted", "shape"),
    [
        (PICTURES, (4, 4, 4, 3)),
        (PICTURES, (0, 4, 4, 3)),
        (STRINGS, (4,)),
        (NUMBERS, (250,)),
        (NUMBERS, (4, 1)),
        (NUMBERS, ()),
        (info(pb.DT_FLOAT, -1, 1), (1,)),
        (info(pb.DT_FLOAT), (1,)),
        (ANYTHING, ()),
        (ANYTHING, (2, 3, 4, 5)),
        (pb.TensorInfo(dtype=pb.DT_FLOAT), (2, 3)),
    ],
)
def test_what_fits_passes(wanted: pb.TensorInfo, shape: Sequence[int]) -> None:
    require_fit("x", wanted, wanted.dtype, shape, LIMITS)


@pytest.mark.parametrize(
    ("wanted", "dtype", "shape", "named"),
    [
        (PICTURES, pb.DT_FLOAT, (1, 4, 4, 3), ["uint8", "float"]),
        (PICTURES, pb.DT_UINT8, (4, 4, 3), ["uint8", "[-1,4,4,3]", "[4,4,3]"]),
        (PICTURES, pb.DT_UINT8, (1, 3, 4, 4), ["[-1,4,4,3]", "[1,3,4,4]"]),
        (PICTURES, pb.DT_UINT8, (-1, 4, 4, 3), ["[-1,4,4,3]"]),
        (PICTURES, pb.DT_UINT8, (5, 4, 4, 3), ["4 rows", "--max_batch_rows", "5 are"]),
        (STRINGS, pb.DT_STRING, (5,), ["4 rows"]),
        (STRINGS, pb.DT_STRING, (), ["[-1]", "[]"]),
        (STRINGS, pb.DT_STRING, (4, 1), ["[-1]", "[4,1]"]),
        (NUMBERS, pb.DT_FLOAT, (4, 2), ["[-1]", "[4,2]"]),
        (NUMBERS, pb.DT_FLOAT, (4, 1, 1), ["[-1]", "[4,1,1]"]),
        (NUMBERS, pb.DT_FLOAT, (251,), ["1000 bytes", "--max_tensor_bytes", "1004"]),
        (ANYTHING, pb.DT_FLOAT, (1, 2**62, 2**62), ["1000 bytes"]),
        (ANYTHING, pb.DT_FLOAT, (-2, -2), ["[-2,-2]"]),
    ],
)
def test_what_does_not_fit_hears_what_was_expected_and_what_came(
    wanted: pb.TensorInfo, dtype: int, shape: Sequence[int], named: list[str]
) -> None:
    with pytest.raises(StatusError) as refusal:
        require_fit("x", wanted, dtype, shape, LIMITS)
    assert refusal.value.code is Code.INVALID_ARGUMENT
    assert refusal.value.message.startswith("Expects input x ")
    assert all(text in refusal.value.message for text in named)


def test_a_shape_without_values_takes_no_memory_until_it_is_copied() -> None:
    proto = to_proto(np.zeros((1, 4), np.float32))
    proto.ClearField("tensor_content")
    proto.tensor_shape.dim[0].size = 2**20
    array = to_array("x", ANYTHING, proto, TensorLimits(rows=2**20, tensor_bytes=2**24))
    assert array.shape == (2**20, 4)
    assert array.strides == (0, 0)
    assert not array.any()
