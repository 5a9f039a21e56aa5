"""What happens to a connection after its request is answered."""

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bench.load.processes import children_of
from tests.support.servers import HOST, ModelServer
from tests.webapp.server import FrontEnd
from webapp.runtime.connection import MOST_HEAD
from webapp.runtime.worker import MOMENT

ASK = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


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
    connection.request("GET", "/openapi.json")
    reply = connection.getresponse()
    reply.read()
    assert connection.sock is before
    return reply.status


def turns_of_the_main_thread(front_end: FrontEnd) -> int:
    """How often the thread that waits for connections got a core; proc(5), schedstat."""
    [worker] = children_of(front_end.process.pid)
    return int(Path(f"/proc/{worker}/task/{worker}/schedstat").read_text().split()[2])


def test_a_request_right_behind_another_is_answered_by_the_same_thread(
    front_end: FrontEnd,
) -> None:
    with connect(front_end) as connection:
        assert ask(connection) == 200
        before = turns_of_the_main_thread(front_end)
        assert {ask(connection) for _ in range(500)} == {200}
    # By the way over that thread it would be two for each; a busy machine adds some of its own.
    assert turns_of_the_main_thread(front_end) - before < 250


def test_a_later_request_of_a_kept_connection_is_answered(front_end: FrontEnd) -> None:
    with connect(front_end) as connection:
        for _ in range(3):
            assert ask(connection) == 200
            time.sleep(3 * MOMENT)


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


def test_a_head_that_comes_in_drops_is_answered_also_on_a_kept_connection(
    front_end: FrontEnd,
) -> None:
    with socket.create_connection((HOST, front_end.port), timeout=20) as connection:
        for _ in range(2):
            for byte in ASK:
                connection.sendall(bytes([byte]))
            reply = http.client.HTTPResponse(connection)
            reply.begin()
            assert reply.status == 200
            reply.read()


def test_a_head_that_is_too_large_is_refused_as_every_other_error(front_end: FrontEnd) -> None:
    with socket.create_connection((HOST, front_end.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * (2 * MOST_HEAD // 8))
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        assert reply.status == 431
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert b"32,768 bytes" in reply.read()
        assert connection.recv(1) == b""


def test_a_head_that_has_no_end_is_given_up(model_server: ModelServer) -> None:
    with FrontEnd(model_server.grpc_url, US_BILLS_SILENCE="0.5") as running:
        for sent in (b"", b"GET / HT"):
            with socket.create_connection((HOST, running.port), timeout=20) as connection:
                connection.sendall(sent)
                assert connection.recv(1) == b""
        assert "Traceback" not in running.output()


def test_a_client_that_stays_after_its_last_answer_does_not_delay_others(
    front_end: FrontEnd,
) -> None:
    last = ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with ExitStack() as opened:
        for _ in range(20):
            connection = socket.create_connection((HOST, front_end.port), timeout=20)
            opened.enter_context(connection).sendall(last)
            while connection.recv(65_536):
                pass
        started = time.monotonic()
        with connect(front_end) as other:
            assert ask(other) == 200
        # Gunicorn alone waits two seconds for each of them, in the thread that waits for all.
        assert time.monotonic() - started < 10


def test_a_stop_does_not_wait_for_clients_that_say_nothing(model_server: ModelServer) -> None:
    with FrontEnd(model_server.grpc_url, US_BILLS_SILENCE="60") as running:
        with socket.create_connection((HOST, running.port), timeout=20):
            running.wait_for("/livez", 200)
            started = time.monotonic()
            assert running.stop() == 0
        assert time.monotonic() - started < 10
