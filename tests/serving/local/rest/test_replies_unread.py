"""A client that does not read its reply is cut off, and the reply's memory is free again."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.local.inference.dataplane import DataPlane
from serving.local.lifecycle.versions import Versions
from serving.local.metrics import REQUEST_COUNT, Metrics
from serving.local.rest import http_server
from serving.local.rest.http_server import RestServer
from serving.local.rest.rest_api import RestApi
from serving.local.settings import Settings
from tests.support.servers import HOST, free_port, wait_until

PAGE = "/metrics"
LONG = 20 * 2**20


@pytest.fixture
def port() -> int:
    """Where the server listens."""
    return free_port()


@pytest.fixture
def server(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RestServer]:
    """A server whose page of metrics does not fit into the buffers of a connection."""
    monkeypatch.setattr(http_server, "REPLY_SECONDS", 1.0)
    metrics = Metrics()
    metrics.count(REQUEST_COUNT, model_name="x" * LONG)
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text(f'prometheus_config {{ enable: true path: "{PAGE}" }}')
    settings = Settings(
        host=HOST,
        rest_api_port=port,
        rest_api_num_threads=1,
        monitoring_config_file=str(monitoring),
    )
    made = RestServer(settings, RestApi(DataPlane(Versions(), metrics), metrics, settings))
    made.start()
    yield made
    made.stop(1.0)
    made.loop.call_soon_threadsafe(made.loop.stop)


def test_a_client_that_does_not_read_is_cut_off(server: RestServer, port: int) -> None:
    with socket.create_connection((HOST, port), timeout=30) as connection:
        connection.sendall(f"GET {PAGE} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        for _ in wait_until("the reply to begin", time.monotonic() + 30):
            if server.under_way:
                break
        for _ in wait_until("the reply to be given up", time.monotonic() + 30):
            if not server.under_way:
                break
        received = sum(map(len, iter(lambda: connection.recv(2**20), b"")))
    assert 0 < received < LONG


@pytest.mark.usefixtures("server")
def test_a_client_that_reads_gets_all_of_it(port: int) -> None:
    with socket.create_connection((HOST, port), timeout=30) as connection:
        head = f"GET {PAGE} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        assert sum(map(len, iter(lambda: connection.recv(2**20), b""))) > LONG
