"""A body is received before it occupies a thread, so a slow body does not delay other clients."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest
import requests

from tests import specimen
from tests.support.servers import HOST, ModelServer, wait_until
from tests.webapp.server import FrontEnd

BILL = specimen.encode(specimen.bill("20", width=320), "JPEG")
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
SIZED = HEAD + b"Content-Length: %d\r\n\r\n" % len(BILL)
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ASK = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
# Longer than a thread waits for the next request.
PAUSE = 0.2


@pytest.fixture(scope="module")
def front_end(model_server: ModelServer) -> Iterator[FrontEnd]:
    settings = {"US_BILLS_THREADS": "2", "US_BILLS_SILENCE": "60", "US_BILLS_PATIENCE": "60"}
    with FrontEnd(model_server.grpc_url, US_BILLS_TIMEOUT="60", **settings) as running:
        running.wait_for("/readyz", 200)
        yield running


def connect(front_end: FrontEnd) -> socket.socket:
    return socket.create_connection((HOST, front_end.port), timeout=50)


def status(connection: socket.socket) -> int:
    """Reads a whole reply, and returns its status."""
    reply = http.client.HTTPResponse(connection)
    reply.begin()
    json.loads(reply.read())
    return reply.status


@contextmanager
def stalled(front_end: FrontEnd, count: int, *sent: bytes) -> Iterator[list[socket.socket]]:
    """Holds connections that send some bytes and nothing more; an answer between is read."""
    with ExitStack() as opened:
        connections = [opened.enter_context(connect(front_end)) for _ in range(count)]
        for piece in sent:
            for connection in connections:
                connection.sendall(piece)
                if piece == ASK:
                    assert status(connection) == 200
        yield connections


@pytest.mark.parametrize(
    "sent",
    [
        (SIZED,),
        (SIZED + BILL[:-1],),
        (ASK, SIZED + BILL[:9]),
        (HEAD + b"Content-Length: %020d\r\n\r\n" % len(BILL),),
    ],
    ids=["no body", "all but a byte", "behind an answer", "a length with zeros"],
)
def test_bodies_that_stall_hold_no_thread(front_end: FrontEnd, sent: tuple[bytes, ...]) -> None:
    with stalled(front_end, 6, *sent):
        assert front_end.predict(BILL).status_code == 200


def test_bodies_that_are_too_large_hold_no_thread(front_end: FrontEnd) -> None:
    too_large = HEAD + b"Content-Length: 900000000\r\n\r\n"
    # If a thread waited for each of them as long as gunicorn would, two threads would for 75 s.
    with stalled(front_end, 30, too_large) as connections:
        assert front_end.predict(BILL).status_code == 200
        assert {status(connection) for connection in connections} == {413}


def test_a_reply_says_that_the_connection_ends_where_a_body_is_not_read(
    front_end: FrontEnd,
) -> None:
    too_large = {"Content-Length": "900000000"}
    with closing(http.client.HTTPConnection(HOST, front_end.port, timeout=50)) as connection:
        connection.request("POST", "/predict", headers=too_large)
        reply = connection.getresponse()
        assert (reply.status, reply.headers["Connection"]) == (413, "close")


def test_chunked_bodies_that_stall_hold_up_only_each_other(front_end: FrontEnd) -> None:
    with stalled(front_end, 6, CHUNKED + b"5\r\nabc"):
        assert front_end.predict(BILL).status_code == 200
    with connect(front_end) as connection:
        connection.sendall(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BILL), BILL))
        assert status(connection) == 200


def test_a_body_that_comes_in_drops_is_answered_also_on_a_kept_connection(
    front_end: FrontEnd,
) -> None:
    with connect(front_end) as connection:
        for _ in range(2):
            for start in range(0, len(BILL), 1 + len(BILL) // 3):
                connection.sendall(b"" if start else SIZED)
                time.sleep(PAUSE)
                connection.sendall(BILL[start : start + 1 + len(BILL) // 3])
            assert status(connection) == 200


def test_requests_with_bodies_that_come_together_are_all_answered(front_end: FrontEnd) -> None:
    with connect(front_end) as connection:
        last = ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        connection.sendall((SIZED + BILL) * 3 + last)
        with connection.makefile("rb") as replies:
            assert replies.read().count(b"HTTP/1.1 200 ") == 4


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked_once(front_end: FrontEnd) -> None:
    expecting = SIZED.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    with stalled(front_end, 3, SIZED), connect(front_end) as connection:
        connection.sendall(expecting)
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BILL)
        assert connection.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("sent", [SIZED, SIZED + BILL[:-1]])
def test_a_client_that_ends_within_its_body_is_told_that_it_is_incomplete(
    front_end: FrontEnd, sent: bytes
) -> None:
    with connect(front_end) as connection:
        connection.sendall(sent)
        time.sleep(PAUSE)
        connection.shutdown(socket.SHUT_WR)
        assert status(connection) == 400


@pytest.mark.parametrize("sent", [SIZED, CHUNKED])
def test_a_body_that_takes_too_long_is_a_request_time_out(
    model_server: ModelServer, sent: bytes
) -> None:
    with FrontEnd(model_server.grpc_url, US_BILLS_SILENCE="0.5") as running:
        with connect(running) as connection:
            connection.sendall(sent)
            reply = http.client.HTTPResponse(connection)
            reply.begin()
            assert (reply.status, json.loads(reply.read())["status"]) == (408, 408)
            # Of a chunked body it is known too late that its end will not be read.
            assert sent is CHUNKED or reply.headers["Connection"] == "close"
        counts = requests.get(f"{running.url}/metrics", timeout=20).text
        assert 'us_bills_rejections_total{reason="RequestTimeout"} 1.0' in counts
        assert running.predict(b"text").status_code == 400
        told = [line for line in running.output().splitlines() if '"status": 408' in line]
    assert len(told) == 1


def test_a_body_that_comes_steadily_and_takes_too_long_is_given_up(
    model_server: ModelServer,
) -> None:
    with (
        FrontEnd(model_server.grpc_url, US_BILLS_PATIENCE="1") as running,
        connect(running) as connection,
    ):
        connection.sendall(SIZED)
        connection.settimeout(0.1)
        reply = b""
        for byte in BILL[:300]:
            connection.sendall(bytes([byte]))
            with suppress(TimeoutError):
                reply = connection.recv(12)
                break
    assert reply == b"HTTP/1.1 408"


def test_where_stalled_bodies_take_too_much_memory_the_stalest_makes_room(
    model_server: ModelServer,
) -> None:
    half = HEAD + b"Content-Length: 1000000\r\n\r\n" + bytes(500_000)
    settings = {"US_BILLS_BYTES_AT_ONCE": "4000000", "US_BILLS_SILENCE": "60"}
    with FrontEnd(model_server.grpc_url, **settings) as running:
        running.wait_for("/readyz", 200)
        with ExitStack() as opened:
            connections = []
            for _ in range(8):
                connections.append(opened.enter_context(connect(running)))
                connections[-1].sendall(half)
                time.sleep(PAUSE)
            # Two million bytes are left to requests that are read.
            # Four bodies with their heads would be more than the other half.
            assert [status(each) for each in connections[:5]] == [503] * 5
            told = requests.get(f"{running.url}/metrics", timeout=20).text
            assert 'us_bills_rejections_total{reason="ServiceUnavailable"} 5.0' in told
            assert 'endpoint="unknown",method="other",status="503"} 5.0' in told
            assert running.predict(BILL).status_code == 200
            connections[-1].sendall(bytes(500_000))
            assert status(connections[-1]) == 400
        # All is given back, also by those that have left, once that is noticed.
        for _ in wait_until("memory for three bodies", time.monotonic() + 30):
            with stalled(running, 3, half) as others:
                for each in others:
                    each.sendall(bytes(500_000))
                if [status(each) for each in others] == [400] * 3:
                    break


def test_where_bodies_take_too_much_memory_the_client_with_most_of_it_makes_room(
    model_server: ModelServer,
) -> None:
    def upload(running: FrontEnd, address: str, size: int) -> socket.socket:
        place = (HOST, running.port)
        connection = socket.create_connection(place, 50, source_address=(address, 0))
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % size + bytes(size - 1))
        time.sleep(PAUSE)
        return connection

    settings = {"US_BILLS_BYTES_AT_ONCE": "4000000", "US_BILLS_SILENCE": "60"}
    with FrontEnd(model_server.grpc_url, **settings) as running, ExitStack() as opened:
        # The small one is the one that has been silent for longest.
        small = opened.enter_context(upload(running, "127.0.3.1", 100_000))
        large = [opened.enter_context(upload(running, "127.0.3.2", 900_000)) for _ in range(3)]
        assert status(large[0]) == 503
        for each in (small, *large[1:]):
            each.sendall(b"x")
            assert status(each) == 400


def test_a_body_that_has_begun_is_answered_by_a_front_end_that_stops(
    model_server: ModelServer,
) -> None:
    with FrontEnd(model_server.grpc_url) as stopping:
        stopping.wait_for("/readyz", 200)
        with stalled(stopping, 1, SIZED + BILL[:9]) as (begun,), ThreadPoolExecutor(1) as other:
            status_of_the_process = other.submit(stopping.stop)
            # Longer than connections are kept that send nothing.
            time.sleep(4)
            begun.sendall(BILL[9:])
            assert status(begun) == 200
            assert status_of_the_process.result() == 0
