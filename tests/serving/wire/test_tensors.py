"""Numpy arrays survive the wire, and malformed tensors are refused with a clear error."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import tensorflow as tf

from serving.wire import messages_pb2 as pb
from serving.wire import tensors
from serving.wire.tensors import from_proto, to_proto

NUMBERS = ["f4", "f8", "i4", "u1", "i2", "i1", "c8", "i8", "?", "u2", "c16", "f2", "u4", "u8"]


@pytest.mark.parametrize("as_values", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_every_number_type_comes_back_as_it_went(
    dtype: str, order: Literal["<", ">"], as_values: bool
) -> None:
    array = np.array([[0, 1, 2], [3, 4, 5]]).astype(np.dtype(dtype).newbyteorder(order))
    returned = from_proto(to_proto(array, as_values=as_values))
    assert returned.dtype == np.dtype(dtype)
    assert np.array_equal(returned, array)


def test_strings_come_back_as_bytes() -> None:
    array = np.array([["a", "é"], [b"\xff", b""]], np.object_)
    assert from_proto(to_proto(array)).tolist() == [[b"a", "é".encode()], [b"\xff", b""]]


def test_a_scalar_keeps_its_empty_shape() -> None:
    proto = to_proto(np.array(3.0, np.float32))
    assert proto.HasField("tensor_shape")
    assert from_proto(proto).shape == ()


def test_a_short_list_of_values_repeats_its_last() -> None:
    proto = pb.TensorProto(dtype=pb.DT_FLOAT, float_val=[1, 2])
    proto.tensor_shape.dim.add(size=4)
    assert from_proto(proto).tolist() == [1, 2, 2, 2]


def test_no_values_at_all_mean_zeros() -> None:
    proto = pb.TensorProto(dtype=pb.DT_INT32)
    proto.tensor_shape.dim.add(size=2)
    assert from_proto(proto).tolist() == [0, 0]


@pytest.mark.parametrize("size", [-1, 2**26 + 1, 2**40])
def test_an_impossible_dimension_is_refused(size: int) -> None:
    proto = pb.TensorProto(dtype=pb.DT_FLOAT, float_val=[1])
    proto.tensor_shape.dim.add(size=size)
    with pytest.raises(ValueError, match=r"shape"):
        from_proto(proto)


def test_a_list_of_values_that_is_complete_may_be_of_any_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tensors, "MAX_ELEMENTS", 2)
    proto = pb.TensorProto(dtype=pb.DT_FLOAT, float_val=[1, 2, 3])
    proto.tensor_shape.dim.add(size=3)
    assert from_proto(proto).tolist() == [1, 2, 3]


def test_content_of_another_length_is_refused() -> None:
    proto = pb.TensorProto(dtype=pb.DT_FLOAT, tensor_content=b"abc")
    proto.tensor_shape.dim.add(size=1)
    with pytest.raises(ValueError, match=r"needs 4 bytes\. Received: 3"):
        from_proto(proto)


def test_content_of_a_tensor_without_elements_is_not_looked_at() -> None:
    shape = pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=size) for size in (2, 0)])
    proto = pb.TensorProto(dtype=pb.DT_FLOAT, tensor_shape=shape, tensor_content=b"123")
    assert from_proto(proto).shape == (2, 0)


def tensor(size: int, **content: Any) -> pb.TensorProto:
    shape = pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=size)])
    return pb.TensorProto(tensor_shape=shape, **content)


TAKEN = [
    tensor(2, dtype=pb.DT_STRING, tensor_content=b"\1\2abb"),
    tensor(2, dtype=pb.DT_STRING, tensor_content=b"\x81\0\2abb"),
    tensor(2, dtype=pb.DT_STRING, tensor_content=b"\x81\x80\x80\x80\x70\2abb"),
    tensor(2, dtype=pb.DT_BOOL, tensor_content=b"\0\1"),
    tensor(2, dtype=pb.DT_COMPLEX64, scomplex_val=[1, 2, 3]),
    tensor(2, dtype=pb.DT_COMPLEX64, scomplex_val=[1]),
    tensor(2, dtype=pb.DT_COMPLEX128, dcomplex_val=[1, 2, 3, 4, 5]),
]


@pytest.mark.parametrize("proto", TAKEN)
def test_a_tensor_is_read_as_tensorflow_reads_it(proto: pb.TensorProto) -> None:
    expected = tf.io.parse_tensor(proto.SerializeToString(), proto.dtype).numpy()
    assert from_proto(proto).tolist() == expected.tolist()


REFUSED = [
    tensor(2, dtype=pb.DT_STRING, tensor_content=b"\1\2ab"),
    tensor(2, dtype=pb.DT_STRING, tensor_content=b"\1\2abcd"),
    tensor(2, dtype=pb.DT_STRING, tensor_content=b"\1"),
    tensor(2, dtype=pb.DT_STRING, tensor_content=b"\x81\x80\x80\x80\x80\0\2abb"),
    tensor(3, dtype=pb.DT_BOOL, tensor_content=b"\0\1\2"),
]


@pytest.mark.parametrize("proto", REFUSED)
def test_a_tensor_that_tensorflow_refuses_is_refused(proto: pb.TensorProto) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.io.parse_tensor(proto.SerializeToString(), proto.dtype)
    with pytest.raises(ValueError, match=r"string|bool"):
        from_proto(proto)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="Unsupported tensor type: 999"):
        from_proto(pb.TensorProto.FromString(b"\x08\xe7\x07"))


def test_objects_that_are_no_strings_are_refused() -> None:
    with pytest.raises(ValueError, match="Received: int"):
        to_proto(np.array([1], np.object_))
