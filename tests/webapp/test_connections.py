"""What becomes of a connection whose request was answered."""

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bench.processes import children_of
from tests.support.servers import HOST, ModelServer
from tests.webapp.server import FrontEnd
from webapp.worker import MOMENT

ASK = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def front_end(model_server: ModelServer) -> Iterator[FrontEnd]:
    with FrontEnd(model_server.grpc_url, US_BILLS_THREADS="2") as running:
        yield running


def connect(front_end: FrontEnd) -> closing[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(HOST, front_end.port, timeout=20)
    connection.connect()
    return closing(connection)


def ask(connection: http.client.HTTPConnection) -> int:
    """The status of an answer that came over the same connection as those before."""
    before = connection.sock
    connection.request("GET", "/livez")
    reply = connection.getresponse()
    reply.read()
    assert connection.sock is before
    return reply.status


def turns_of_the_main_thread(front_end: FrontEnd) -> int:
    """How often the thread that waits for connections got a core; proc(5), schedstat."""
    [worker] = children_of(front_end.process.pid)
    return int(Path(f"/proc/{worker}/task/{worker}/schedstat").read_text().split()[2])


def test_who_asks_again_at_once_is_answered_by_the_thread_that_waits_for_it(
    front_end: FrontEnd,
) -> None:
    with connect(front_end) as connection:
        assert ask(connection) == 200
        before = turns_of_the_main_thread(front_end)
        assert {ask(connection) for _ in range(500)} == {200}
    # By the way over that thread it would be two for each; a busy machine adds some of its own.
    assert turns_of_the_main_thread(front_end) - before < 250


def test_who_asks_again_later_is_answered_too(front_end: FrontEnd) -> None:
    with connect(front_end) as connection:
        for _ in range(3):
            assert ask(connection) == 200
            time.sleep(3 * MOMENT / 1000)


def test_with_more_connections_than_threads_no_thread_waits_for_one_of_them(
    front_end: FrontEnd,
) -> None:
    with ExitStack() as opened:
        connections = [opened.enter_context(connect(front_end)) for _ in range(6)]
        assert [ask(each) for each in connections] == [200] * 6
        before = turns_of_the_main_thread(front_end)
        assert {ask(connections[0]) for _ in range(100)} == {200}
        assert turns_of_the_main_thread(front_end) - before >= 100


def test_requests_sent_together_are_answered_one_after_the_other(front_end: FrontEnd) -> None:
    before = turns_of_the_main_thread(front_end)
    with socket.create_connection((HOST, front_end.port), timeout=20) as connection:
        connection.sendall(499 * ASK + ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        with connection.makefile("rb") as replies:
            assert replies.read().count(b"HTTP/1.1 200 ") == 500
    assert turns_of_the_main_thread(front_end) - before < 250
