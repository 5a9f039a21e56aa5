"""A request that ends before its body is complete is counted, by the reason."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from serving.local.inference.dataplane import DataPlane
from serving.local.lifecycle.versions import Versions
from serving.local.metrics import Metrics
from serving.local.rest import http_server
from serving.local.rest.rest_api import RestApi
from serving.local.settings import Settings
from tests.support.servers import HOST, free_port, wait_until

MEGABYTE = 2**20
HEAD = "POST /v1/models/half:predict HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n"
COUNT = re.compile(r'request_count\{model_name="half",status="(\w+)"\} (\d+)')


class Rest:
    """A REST server in this process, and what it counts."""

    def __init__(self, *, cors: bool = False, timeout_ms: int = 30_000) -> None:
        settings = Settings(
            rest_api_port=free_port(),
            rest_api_max_body_mb=1,
            rest_api_enable_cors_support=cors,
            rest_api_timeout_in_ms=timeout_ms,
        )
        self.port, self.metrics = settings.rest_api_port, Metrics()
        api = RestApi(DataPlane(Versions(), self.metrics), self.metrics, settings)
        self.server = http_server.RestServer(settings, api)

    def begin(self, length: int, sent: bytes = b"", host: str = "localhost") -> socket.socket:
        """Sends a head and some of a body."""
        connection = socket.create_connection((HOST, self.port), 30)
        connection.sendall(HEAD.format(host, length).encode() + sent)
        return connection

    def wait_for_counts(self, **wanted: int) -> None:
        """Waits until requests are counted by their status, and these only."""
        for _ in wait_until(f"{wanted} in the metrics", time.monotonic() + 20):
            found = {name: int(n) for name, n in COUNT.findall(self.metrics.page().decode())}
            if found == wanted:
                return


@pytest.fixture
def rest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rest]:
    """One that gives a body three seconds."""
    monkeypatch.setattr(http_server, "BODY_SECONDS", 3.0)
    made = Rest()
    made.server.start()
    yield made
    made.server.stop(0)


def test_a_body_that_is_too_slow(rest: Rest) -> None:
    with closing(rest.begin(10, b"{")) as connection:
        assert connection.recv(1) == b""
        rest.wait_for_counts(DEADLINE_EXCEEDED=1)


def test_a_client_that_leaves_within_its_body(rest: Rest) -> None:
    rest.begin(10, b"{").close()
    rest.wait_for_counts(CANCELLED=1)


def test_a_body_that_is_too_long(rest: Rest) -> None:
    with closing(rest.begin(2 * MEGABYTE)) as connection:
        assert connection.recv(12) == b"HTTP/1.1 413"
    rest.wait_for_counts(INVALID_ARGUMENT=1)


def test_a_body_that_takes_longer_than_an_answer_may_is_answered() -> None:
    rest = Rest(timeout_ms=1000)
    rest.server.start()
    with closing(rest.begin(18, b'{"instances"')) as connection:
        time.sleep(1.2)
        connection.sendall(b": [1]}")
        assert connection.recv(12) == b"HTTP/1.1 404"
    rest.server.stop(0)


def test_a_page_of_another_site_may_read_why_its_body_is_refused() -> None:
    rest = Rest(cors=True)
    rest.server.start()
    with closing(rest.begin(2 * MEGABYTE)) as connection:
        reply = connection.recv(4096)
    rest.server.stop(0)
    assert reply.startswith(b"HTTP/1.1 413")
    assert b"Access-Control-Allow-Origin: *\r\n" in reply


def test_bodies_beyond_the_budget_of_all(rest: Rest) -> None:
    with ExitStack() as opened:
        for _ in range(8):
            opened.enter_context(closing(rest.begin(MEGABYTE, bytes(MEGABYTE - 1))))
        for _ in wait_until("a refusal for want of memory", time.monotonic() + 2.5):
            if b'status="UNAVAILABLE"' in rest.metrics.page():
                break


def test_a_page_of_another_site(rest: Rest) -> None:
    with closing(rest.begin(2, b"{}", host="rebound.example")) as connection:
        assert connection.recv(12) == b"HTTP/1.1 403"
    rest.wait_for_counts(INVALID_ARGUMENT=1)


def test_a_request_that_is_answered_counts_once(rest: Rest) -> None:
    with closing(rest.begin(18, b'{"instances": [1]}')) as connection:
        assert connection.recv(12) == b"HTTP/1.1 404"
    rest.wait_for_counts(NOT_FOUND=1)
