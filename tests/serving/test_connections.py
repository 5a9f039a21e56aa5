"""Clients that are idle or slow do not keep others from being served."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
import requests

from serving.client import Client, connect
from tests.support.servers import HOST, ModelServer

BODY = b'{"instances": [1]}'
HEAD = b"POST /v1/models/half:predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(BODY)
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How a gRPC client begins: the preface and empty settings."""

OPENINGS = {"REST": ("rest_port", b""), "gRPC": ("grpc_port", HTTP2)}


@contextmanager
def idle(port: int, count: int, opening: bytes = b"") -> Iterator[list[socket.socket]]:
    """Holds connections on which nothing more comes than their opening."""
    with ExitStack() as stack:
        held = []
        for _ in range(count):
            held.append(stack.enter_context(socket.create_connection((HOST, port), 30)))
            held[-1].sendall(opening)
        yield held


@pytest.mark.parametrize("protocol", OPENINGS)
def test_500_idle_connections_do_not_keep_others_out(
    small_server: ModelServer, client: Client, protocol: str
) -> None:
    port, opening = OPENINGS[protocol]
    with idle(getattr(small_server, port), 500, opening) as connections:
        if opening:
            assert all(connection.recv(9)[3] == 4 for connection in connections)
        assert client.predict("half", {"x": np.array([1], np.float32)}).outputs["y"] == [4.5]


@pytest.mark.usefixtures("still_serves")
def test_50_clients_that_trickle_do_not_keep_others_waiting(small_server: ModelServer) -> None:
    with idle(small_server.rest_port, 50) as clients:
        for number, byte in enumerate(HEAD + BODY):
            for connection in clients:
                connection.sendall(bytes([byte]))
            if number % 10 == 0:
                reply = requests.get(f"{small_server.rest_url}/v1/models/half", timeout=10)
                assert reply.status_code == 200
        for connection in clients:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """What is started meanwhile may open few files, unless it asks for more."""
    few = 300
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    yield few
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_soft_limit_of_open_files_does_not_limit_the_connections(
    small_models: Path, tmp_path: Path, few_descriptors: int
) -> None:
    flags = ["--model_name=half", f"--model_base_path={small_models / 'half'}"]
    server = ModelServer(tmp_path, flags, wait_for=["half"])
    with server:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        with idle(server.rest_port, few_descriptors + 100):
            client = connect(server.rest_url)
            assert "serving_default" in client.signatures("half")
            client.close()
