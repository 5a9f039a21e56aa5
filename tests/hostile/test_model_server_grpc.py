"""No gRPC client delays others: calls cancelled, never sent, too large, or for made-up models."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import requests

from serving.client import connect
from serving.local.grpc.admission import EXHAUSTED
from serving.wire import messages_pb2 as pb
from serving.wire import methods
from serving.wire.tensors import to_proto
from tests.hostile.conftest import Others, unharmed
from tests.support.servers import ModelServer

pytestmark = pytest.mark.hostile

PICTURE = np.zeros((1, 224, 224, 3), np.uint8)
MANY = 60


@pytest.fixture
def channel(model_server: ModelServer) -> Iterator[grpc.Channel]:
    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(model_server.grpc_address, options=options) as made:
        yield made


def ask_grpc(server: ModelServer) -> Any:
    """One photo over gRPC, from one client for all."""
    client = connect(server.grpc_url)

    def ask() -> None:
        assert client.predict("us_bills", {"image": PICTURE}, timeout=30).outputs["classes"].size

    return ask


def request(value: pb.TensorProto, model: str = "us_bills") -> bytes:
    return pb.PredictRequest(
        model_spec=pb.ModelSpec(name=model), inputs={"image": value}
    ).SerializeToString()


def batch_of(rows: int) -> bytes:
    """A request of a few bytes that is `rows` black pictures."""
    value = to_proto(PICTURE)
    value.ClearField("tensor_content")
    value.tensor_shape.dim[0].size = rows
    return request(value)


def forgive_full_places(others: Others) -> None:
    """While all places are taken, and only then, an ordinary call may be refused."""
    others.failures = [each for each in others.failures if EXHAUSTED not in each]


def seconds_of(ask: Any) -> float:
    started = time.monotonic()
    ask()
    return time.monotonic() - started


def test_cancelled_calls_do_not_run_and_others_are_answered_soon(
    channel: grpc.Channel, model_server: ModelServer
) -> None:
    assert model_server.process is not None
    call: Any = channel.unary_unary(methods.PREDICT)
    alone = seconds_of(lambda: call(batch_of(8), timeout=60))
    with unharmed(model_server.process.pid, ask_grpc(model_server), megabytes=600) as others:
        asked = [call.future(batch_of(8), timeout=120) for _ in range(MANY)]
        time.sleep(alone)
        for future in asked:
            future.cancel()
        # Those that have begun go on; all of them would take `MANY` times as long as one.
        assert seconds_of(ask_grpc(model_server)) < alone * MANY / 2
        forgive_full_places(others)


def test_calls_whose_deadline_is_over_do_not_run(
    channel: grpc.Channel, model_server: ModelServer
) -> None:
    assert model_server.process is not None
    call: Any = channel.unary_unary(methods.PREDICT)
    alone = seconds_of(lambda: call(batch_of(8), timeout=60))
    with unharmed(model_server.process.pid, ask_grpc(model_server), megabytes=600) as others:
        asked = [call.future(batch_of(8), timeout=0.05) for _ in range(MANY)]
        codes = {future.code() for future in asked}
        assert seconds_of(ask_grpc(model_server)) < alone * MANY / 2
        forgive_full_places(others)
    assert codes <= {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert grpc.StatusCode.DEADLINE_EXCEEDED in codes


def test_a_message_of_a_gigabyte_is_refused_unread(
    channel: grpc.Channel, model_server: ModelServer
) -> None:
    assert model_server.process is not None
    call: Any = channel.unary_unary(methods.PREDICT)
    with unharmed(model_server.process.pid, ask_grpc(model_server), megabytes=100):
        with pytest.raises(grpc.RpcError) as refusal:
            call(bytes(2**30), timeout=60)
        error: Any = refusal.value
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_compressed_message_has_the_limit_of_any_other(
    compression: grpc.Compression, model_server: ModelServer
) -> None:
    assert model_server.process is not None
    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    address = model_server.grpc_address
    with (
        grpc.insecure_channel(address, options=options, compression=compression) as channel,
        unharmed(model_server.process.pid, ask_grpc(model_server), megabytes=100),
    ):
        call: Any = channel.unary_unary(methods.PREDICT)
        # 65 kB on the wire, and six times the limit.
        with pytest.raises(grpc.RpcError) as refusal:
            call(bytes(2**26), timeout=60)
        error: Any = refusal.value
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_metadata_of_megabytes_is_refused(channel: grpc.Channel, model_server: ModelServer) -> None:
    assert model_server.process is not None
    call: Any = channel.unary_unary(methods.PREDICT)
    with unharmed(model_server.process.pid, ask_grpc(model_server), megabytes=100):
        for size in (2**15, 2**20, 2**23):
            with pytest.raises(grpc.RpcError):
                call(request(to_proto(PICTURE)), metadata=[("x-long", "a" * size)], timeout=30)


def test_streams_on_which_nothing_is_sent_give_way_to_calls(
    channel: grpc.Channel, model_server: ModelServer
) -> None:
    assert model_server.process is not None
    ended = threading.Event()

    def silence() -> Iterator[bytes]:
        ended.wait(60)
        yield from ()

    call: Any = channel.stream_unary(methods.PREDICT)
    with unharmed(model_server.process.pid, ask_grpc(model_server), megabytes=200) as others:
        silent = [call.future(silence(), timeout=60) for _ in range(100)]
        time.sleep(3)
        ask = ask_grpc(model_server)
        for _ in range(10):
            ask()
        forgive_full_places(others)
        ended.set()
        for future in silent:
            future.cancel()


def test_connections_that_say_nothing_are_closed_and_harm_nobody(model_server: ModelServer) -> None:
    assert model_server.process is not None
    address = ("127.0.0.1", model_server.grpc_port)
    with (
        contextlib.ExitStack() as stack,
        unharmed(model_server.process.pid, ask_grpc(model_server), megabytes=150),
    ):
        for _ in range(500):
            stack.enter_context(socket.create_connection(address, timeout=10))


def test_made_up_models_count_under_one_name(
    channel: grpc.Channel, model_server: ModelServer
) -> None:
    assert model_server.process is not None
    call: Any = channel.unary_unary(methods.PREDICT)
    with unharmed(model_server.process.pid, ask_grpc(model_server), megabytes=100):
        for number in range(200):
            with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
                call(request(to_proto(PICTURE), f"made-up-{number}" + "x" * 10_000), timeout=30)
    page = requests.get(f"{model_server.rest_url}/monitoring/prometheus/metrics", timeout=30)
    assert 'request_count{model_name="unknown",status="NOT_FOUND"}' in page.text
    assert "made-up" not in page.text
