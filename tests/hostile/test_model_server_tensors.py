"""No tensor crashes or bloats the model server: every rank, every dtype, shapes without values."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import grpc
import pytest
import requests

from serving.wire import messages_pb2 as pb
from serving.wire import methods
from tests.hostile.conftest import ask_rest, unharmed
from tests.support.servers import ModelServer

pytestmark = pytest.mark.hostile

DTYPES = [number for number in pb.DataType.values() if number < 24]


class Target(NamedTuple):
    """A signature of a shipped model: what its one input takes."""

    model: str
    signature: str
    input: str
    dtype: Any
    inner: list[int]
    most: int

    def fits(self, value: pb.TensorProto) -> bool:
        """Whether a tensor is what the signature says."""
        shape = [dim.size for dim in value.tensor_shape.dim]
        of_shape = shape[1:] == self.inner and 0 <= shape[0] <= self.most if shape else False
        return value.dtype == self.dtype and of_shape


SIDES = [224, 224, 3]
TARGETS = [
    Target("us_bills", "serving_default", "image", pb.DT_UINT8, SIDES, 64),
    Target("us_bills", "explain", "image", pb.DT_UINT8, SIDES, 64),
    Target("us_bills", "serve_bytes", "image_bytes", pb.DT_STRING, [], 64),
    Target("us_bills_count", "serving_default", "image", pb.DT_UINT8, [448, 448, 3], 16),
]

MILLIONS = {
    "two big pictures": [2, 2000, 2000, 3],
    "one bigger picture": [1, 4700, 4700, 3],
    "many pictures": [400, 224, 224, 3],
    "one picture too many": [65, 224, 224, 3],
    "one picture too many for the counter": [17, 448, 448, 3],
    "a row without end": [1, 224, 224, 2**40],
    "more than can be counted": [2**62, 2**62, 2**62, 3],
    "less than nothing": [-1, 224, 224, 3],
    "nothing of much": [0, 2**62, 2**62, 3],
    "strings without end": [2**26],
    "strings in rows": [64, 2**40],
}


def tensor(dtype: Any, shape: list[int], **content: Any) -> pb.TensorProto:
    """A tensor whose shape is told and whose values are not, unless they are given."""
    sizes = [pb.TensorShapeProto.Dim(size=size) for size in shape]
    return pb.TensorProto(dtype=dtype, tensor_shape=pb.TensorShapeProto(dim=sizes), **content)


def shapes_of_every_rank(sides: list[int]) -> Iterator[list[int]]:
    """Ranks 0 to 6, with sizes that fit and sizes that do not."""
    for rank in range(7):
        yield [1] * rank
        yield ([1, *sides] + [1] * 6)[:rank]
        yield ([2, *reversed(sides)] + [2] * 6)[:rank]


@pytest.fixture
def channel(model_server: ModelServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(model_server.grpc_address) as made:
        yield made


@pytest.fixture(params=TARGETS, ids=lambda target: f"{target.model} {target.signature}")
def target(request: pytest.FixtureRequest, model_server: ModelServer) -> Target:
    """A signature whose model is served."""
    chosen: Target = request.param
    model_server.wait_for_state(chosen.model, 1, "AVAILABLE")
    return chosen


def refusal(channel: grpc.Channel, target: Target, value: pb.TensorProto) -> tuple[str, str]:
    """The code and text of an answer; asserts that it comes."""
    spec = pb.ModelSpec(name=target.model, signature_name=target.signature)
    request = pb.PredictRequest(model_spec=spec, inputs={target.input: value})
    call: Any = channel.unary_unary(methods.PREDICT)
    try:
        call(request.SerializeToString(), timeout=60)
    except grpc.RpcError as error:
        return error.code().name, error.details() or ""
    return "OK", ""


def test_each_rank_and_dtype_is_answered_or_refused_with_what_was_expected(
    target: Target, channel: grpc.Channel, model_server: ModelServer
) -> None:
    assert model_server.process is not None
    shapes = list(shapes_of_every_rank(target.inner or SIDES))
    with unharmed(model_server.process.pid, ask_rest(model_server), megabytes=300):
        for dtype, shape in itertools.product(DTYPES, shapes):
            value = tensor(dtype, shape)
            code, text = refusal(channel, target, value)
            if target.fits(value) and target.dtype != pb.DT_STRING:
                assert code == "OK", text
                continue
            # An empty string is no picture.
            assert code == "INVALID_ARGUMENT", (dtype, shape, text)
            assert target.input in text or target.fits(value)


@pytest.mark.parametrize("name", MILLIONS)
def test_a_few_bytes_do_not_become_gigabytes(
    name: str, target: Target, channel: grpc.Channel, model_server: ModelServer
) -> None:
    assert model_server.process is not None
    with unharmed(model_server.process.pid, ask_rest(model_server), megabytes=100):
        for dtype in (pb.DT_UINT8, pb.DT_STRING):
            for content in ({}, {"tensor_content": b"1"}, {"int_val": [1]}, {"string_val": [b""]}):
                value = tensor(dtype, MILLIONS[name], **content)
                code, text = refusal(channel, target, value)
                assert code == "INVALID_ARGUMENT", text
                assert target.input in text


def test_an_honest_picture_of_another_size_is_refused_by_its_shape(
    channel: grpc.Channel, model_server: ModelServer
) -> None:
    assert model_server.process is not None
    shape = [2, 1000, 1000, 3]
    value = tensor(pb.DT_UINT8, shape, tensor_content=bytes(math.prod(shape)))
    with unharmed(model_server.process.pid, ask_rest(model_server), megabytes=100):
        code, text = refusal(channel, TARGETS[0], value)
    assert code == "INVALID_ARGUMENT"
    assert "image" in text
    assert "[-1,224,224,3]" in text
    assert "[2,1000,1000,3]" in text


def nested(shape: list[int]) -> Any:
    """A number in so many lists."""
    value: Any = 1
    for size in reversed(shape):
        value = [value] * size
    return value


@pytest.mark.parametrize("form", ["instances", "inputs"])
def test_lists_of_each_rank_are_answered_or_refused_with_what_was_expected(
    form: str, model_server: ModelServer
) -> None:
    assert model_server.process is not None
    url = f"{model_server.rest_url}/v1/models/us_bills:predict"
    with unharmed(model_server.process.pid, ask_rest(model_server), megabytes=300):
        for shape in shapes_of_every_rank(SIDES):
            if math.prod(shape) > 200_000 or (not shape and form == "instances"):
                continue
            for value in (nested(shape), nested([*shape[:-1], 0]) if shape else "x"):
                reply = requests.post(url, json.dumps({form: value}), timeout=60)
                if shape == [1, *SIDES] and reply.status_code == 200:
                    continue
                assert reply.status_code == 400, (shape, reply.text)
                assert reply.json()["error"]


def test_a_list_of_too_low_a_rank_hears_the_shape_that_is_expected(
    model_server: ModelServer,
) -> None:
    url = f"{model_server.rest_url}/v1/models/us_bills:predict"
    for instances in ([1], [[1]], nested([1, *SIDES[:2]])):
        reply = requests.post(url, json.dumps({"instances": instances}), timeout=60)
        assert reply.status_code == 400
        assert "image" in reply.json()["error"]
        assert "[-1,224,224,3]" in reply.json()["error"]
