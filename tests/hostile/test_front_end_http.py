"""The front end's HTTP: idle connections, crowds, malformed bodies and forms, exceeded limits."""

import http.client
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
import requests

from bench.load.processes import children_of
from tests import specimen
from tests.hostile.conftest import ask_front_end, unharmed
from tests.support.servers import HOST, ModelServer
from tests.webapp.server import FrontEnd

pytestmark = pytest.mark.hostile

BILL = specimen.encode(specimen.bill("20", width=600), "JPEG")
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
HALF_A_BODY = HEAD + b"Content-Length: 99\r\n\r\nhalf"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
# What silent connections may delay an answer by; a busy machine needs some of it.
SOON = 5.0


@contextmanager
def open_connections(front_end: FrontEnd, count: int, sent: bytes) -> Iterator[None]:
    """Holds connections that send a few bytes and then nothing more."""
    with ExitStack() as opened:
        for _ in range(count):
            connection = socket.create_connection((HOST, front_end.port), timeout=20)
            opened.enter_context(connection).sendall(sent)
        yield


def exchange(front_end: FrontEnd, sent: bytes) -> tuple[int, dict[str, Any], bool]:
    """Status and problem of the answer to some bytes, and whether the connection was closed."""
    with socket.create_connection((HOST, front_end.port), timeout=20) as connection:
        connection.sendall(sent)
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        return reply.status, json.load(reply), connection.recv(1) == b""


def slowest_health(front_end: FrontEnd, rounds: int = 5) -> float:
    """Asks for what a supervisor and Prometheus ask for; returns the longest wait in seconds."""
    slowest = 0.0
    for path in ("/livez", "/metrics") * rounds:
        started = time.monotonic()
        assert requests.get(front_end.url + path, timeout=30).status_code == 200
        slowest = max(slowest, time.monotonic() - started)
    return slowest


@pytest.mark.parametrize(
    ("count", "sent"),
    [(1300, b""), (300, b"POST /pre"), (300, HALF_A_BODY), (300, b"GET /livez HTTP/1.1\r\n")],
    ids=["nothing", "half a line", "half a body", "half a health check"],
)
def test_silent_connections_do_not_delay_the_health_check(
    front_end: FrontEnd, count: int, sent: bytes
) -> None:
    worker = children_of(front_end.process.pid)
    with open_connections(front_end, count, sent):
        assert slowest_health(front_end) < SOON
    assert children_of(front_end.process.pid) == worker
    assert "Traceback" not in front_end.output()


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /pre", HALF_A_BODY, CHUNKED],
    ids=["nothing", "half a line", "half a body", "no chunk"],
)
def test_silent_connections_do_not_delay_photos(front_end: FrontEnd, sent: bytes) -> None:
    with (
        unharmed(front_end.process.pid, ask_front_end(front_end), megabytes=100),
        open_connections(front_end, 600, sent),
    ):
        assert front_end.predict(BILL).status_code == 200


def test_more_connections_than_files_may_be_open_end_nothing(model_server: ModelServer) -> None:
    with FrontEnd(model_server.grpc_url, files="256") as front_end:
        worker = children_of(front_end.process.pid)
        for sent in (b"", HALF_A_BODY):
            with ExitStack() as opened:
                for _ in range(300):
                    connection = socket.create_connection((HOST, front_end.port), timeout=20)
                    opened.enter_context(connection)
                    # One that had to make room may be closed already.
                    with suppress(BrokenPipeError, ConnectionResetError):
                        connection.sendall(sent)
                assert slowest_health(front_end, rounds=2) < SOON
            front_end.wait_for("/readyz", 200)
            assert front_end.predict(BILL).status_code == 200
        assert children_of(front_end.process.pid) == worker
        assert "Traceback" not in front_end.output()


@pytest.mark.parametrize(
    "body",
    [
        b"ZZ\r\nabc\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b"\r\nabc\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3;=\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\r\n0\r\nno trailer\r\n\r\n",
        b"f" * 9000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_malformed_chunk_is_400_and_closes_the_connection(
    front_end: FrontEnd, body: bytes
) -> None:
    status, problem, closed = exchange(front_end, CHUNKED + body)
    assert (status, problem["status"], closed) == (400, 400, True)
    assert "malformed" in problem["detail"]
    # Where nobody reads the body, its mistake is no news either.
    other = CHUNKED.replace(b"/predict", b"/nowhere")
    assert exchange(front_end, other + body)[0] == 404
    assert "Traceback" not in front_end.output()


def test_headers_of_parts_are_refused_before_they_take_memory(front_end: FrontEnd) -> None:
    parameters = b'--x\r\nContent-Disposition: form-data; name="image"; ' + b"a=b;" * 4_000_000
    lines = b"--x\r\n" + b"A: b\r\n" * 2_500_000
    one = (
        b'--x\r\nContent-Disposition: form-data; name="y"\r\nX-A: ' + b"z" * 150 + b"\r\n\r\n1\r\n"
    )
    with (
        unharmed(front_end.process.pid, ask_front_end(front_end), megabytes=250),
        ThreadPoolExecutor(8) as threads,
    ):
        for body in (parameters, lines, one * 80_000):
            asked = [threads.submit(post, front_end, body) for _ in range(8)]
            assert {future.result() for future in asked} == {413}


def post(front_end: FrontEnd, form: bytes) -> int:
    """The status that a form gets."""
    url = f"{front_end.url}/predict"
    return requests.post(url, data=form, headers=FORM, timeout=60).status_code


@pytest.mark.parametrize("kind", ["image/jpeg", FORM["Content-Type"], "application/json"])
def test_a_refused_upload_is_told_so_and_not_cut_off(front_end: FrontEnd, kind: str) -> None:
    body = b"--x\r\n" + bytes(30_000_000)
    head = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    sent = b"POST /predict HTTP/1.1\r\nHost: x\r\n" + head.encode() + body
    with unharmed(front_end.process.pid, ask_front_end(front_end), megabytes=200):
        for _ in range(3):
            status, problem, closed = exchange(front_end, sent)
            assert (status, problem["status"], closed) == (413, 413, True)
            assert "20 MB" in problem["detail"]


def test_a_crowd_that_sends_many_pictures_is_answered_or_asked_to_come_back(
    model_server: ModelServer,
) -> None:
    files = [("image", (f"{n}.jpg", BILL)) for n in range(16)]
    # A third of the time a busy machine gives to others.
    settings = {"US_BILLS_TIMEOUT": "15"}
    with (
        FrontEnd(model_server.grpc_url, **settings) as front_end,
        ThreadPoolExecutor(16) as clients,
    ):
        front_end.wait_for("/readyz", 200)
        # So that the pace of this machine is known before the crowd comes.
        for _ in range(2):
            requests.post(f"{front_end.url}/predict?explain=1", files=files, timeout=60)
        end = time.monotonic() + 12

        def ask_again_and_again(_: int) -> Counter[int]:
            told = Counter[int]()
            while time.monotonic() < end:
                url = f"{front_end.url}/predict?explain=1"
                reply = requests.post(url, files=files, timeout=60)
                told[reply.status_code] += 1
                time.sleep(float(reply.headers.get("Retry-After", 0)))
            return told

        told = sum(clients.map(ask_again_and_again, range(16)), Counter[int]())
    assert told[200] > 0
    assert told[200] + told[429] >= 0.9 * told.total(), told
