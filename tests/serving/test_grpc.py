"""gRPC's own manners: how many calls at once, and the health service's stream."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from serving.client import Client, connect
from serving.transports.interface import Unavailable
from serving.wire import methods
from serving.wire.operations_pb2 import HealthCheckRequest, HealthCheckResponse
from tests.serving.conftest import CONFIG, LABELS
from tests.support.servers import ModelServer, wait_until

ONE = np.array([1], np.float32)
FLAGS = [LABELS, "--grpc_max_threads=2", "--enable_grpc_healthcheck_service=true"]


@pytest.fixture
def server(small_models: Path, tmp_path: Path) -> Iterator[ModelServer]:
    """A server with two places for gRPC calls and the health service."""
    with ModelServer(tmp_path, FLAGS, CONFIG.format(small_models), ["half", "slow"]) as made:
        yield made


@pytest.fixture
def client(server: ModelServer) -> Iterator[Client]:
    """A client of `server`."""
    made = connect(server.grpc_url)
    yield made
    made.close()


def watch(server: ModelServer, service: str = "") -> Any:
    """A call that gives the states of a service as they come."""
    channel = grpc.insecure_channel(server.grpc_url.removeprefix("grpc://"))
    call = channel.unary_stream(
        methods.HEALTH_WATCH,
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    return call(HealthCheckRequest(service=service))


def test_who_watches_the_health_hears_that_the_server_leaves(server: ModelServer) -> None:
    states = watch(server)
    assert next(states).status == HealthCheckResponse.SERVING
    stopped = threading.Thread(target=server.stop)
    stopped.start()
    assert next(states).status == HealthCheckResponse.NOT_SERVING
    assert list(states) == []
    stopped.join()


def test_a_service_that_is_not_there_is_watched_as_unknown(server: ModelServer) -> None:
    assert next(watch(server, "nonsense")).status == HealthCheckResponse.SERVICE_UNKNOWN


def test_a_call_beyond_grpc_max_threads_is_refused_until_there_is_a_place(
    server: ModelServer, client: Client
) -> None:
    busy = [watch(server), watch(server)]
    for states in busy:
        assert next(states).status == HealthCheckResponse.SERVING
    with pytest.raises(Unavailable, match="Server Threadpool Exhausted"):
        client.predict("half", {"x": ONE})
    for states in busy:
        states.cancel()
    for _ in wait_until("a place", time.monotonic() + 10):
        with contextlib.suppress(Unavailable):
            assert client.predict("half", {"x": ONE}).outputs["y"] == [4.5]
            return
