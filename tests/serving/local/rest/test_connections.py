"""Clients that are idle or slow do not keep others from being served."""

from __future__ import annotations

import os
import resource
import socket
import time
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


@pytest.fixture
def own_server(small_models: Path, tmp_path: Path) -> ModelServer:
    """A server with version 1 to 3 of `half`, not started yet."""
    flags = ["--model_name=half", f"--model_base_path={small_models / 'half'}"]
    return ModelServer(tmp_path / "server", flags, wait_for=["half"])


def limit_files(server: ModelServer, soft: int, hard: int) -> None:
    assert server.process is not None
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (soft, hard))


def files_of(server: ModelServer) -> int:
    """The files that a server has open."""
    assert server.process is not None
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def seconds_of_processor(server: ModelServer) -> float:
    assert server.process is not None
    times = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def test_without_a_free_file_the_server_waits_for_one_at_rest(own_server: ModelServer) -> None:
    with own_server as server:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit_files(server, files_of(server), most)
        with idle(server.rest_port, 1, HEAD + BODY) as (waiting,):
            time.sleep(0.5)
            began = seconds_of_processor(server)
            time.sleep(3)
            assert seconds_of_processor(server) - began < 1
            limit_files(server, most, most)
            assert waiting.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_grpc_connections_leave_files_for_rest_and_for_loading(own_server: ModelServer) -> None:
    files = 400
    own_server.launch()
    try:
        limit_files(own_server, files, files)  # Sooner than it takes as many as it may.
        own_server.wait_for_output("listening")
        alone = files_of(own_server)
        with idle(own_server.grpc_port, files):
            time.sleep(1)
            assert files_of(own_server) - alone <= files / 4 + 10
            url = f"{own_server.rest_url}/v1/models/half"
            assert requests.get(url, timeout=30).status_code == 200
    finally:
        own_server.kill()


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
