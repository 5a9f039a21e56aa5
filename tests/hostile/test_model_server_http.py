"""HTTP that tries to stop the model server: headers, bodies, idle connections, other origins."""

from __future__ import annotations

import gzip
import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import requests

from tests.hostile.conftest import ask_rest, unharmed
from tests.support.servers import HOST, ModelServer

pytestmark = pytest.mark.hostile

MEGABYTE = 2**20
LARGEST = 64 * MEGABYTE
PREDICT = "/v1/models/us_bills:predict"


def head(length: int, *lines: str, path: str = PREDICT) -> bytes:
    """The head of a POST with a body of a length."""
    top = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}", *lines]
    return "\r\n".join([*top, "\r\n"]).encode()


@contextmanager
def connections(server: ModelServer, count: int) -> Iterator[list[socket.socket]]:
    """Opens connections to the REST port."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection((HOST, server.rest_port), 30))
            for _ in range(count)
        ]


@contextmanager
def unmoved(server: ModelServer, megabytes: float) -> Iterator[None]:
    """Others are served, memory stays bounded, the process is the same."""
    assert server.process is not None
    with unharmed(server.process.pid, ask_rest(server), megabytes):
        yield


def status_of(connection: socket.socket) -> int:
    """The status of the reply; 0 where the connection ends without one."""
    try:
        return int(connection.recv(4096).split()[1])
    except (ConnectionError, IndexError):
        return 0


def send_all(connection: socket.socket, data: bytes) -> bool:
    """Sends data; says whether the server took all of it."""
    try:
        connection.sendall(data)
    except ConnectionError:
        return False
    return True


def test_a_head_of_20_kilobytes_is_refused_with_a_sentence(model_server: ModelServer) -> None:
    url = f"{model_server.rest_url}/v1/models/us_bills"
    reply = requests.get(url, headers={"Cookie": "a" * 20_000}, timeout=10)
    assert reply.status_code == 431
    assert "at most 16384 bytes" in reply.json()["error"]


def test_heads_that_never_end_are_cut_off(model_server: ModelServer) -> None:
    with unmoved(model_server, 100), connections(model_server, 10) as clients:
        for client in clients:
            client.sendall(b"GET /v1/models/us_bills HTTP/1.1\r\n")
            taken = [send_all(client, b"X: " + b"a" * MEGABYTE + b"\r\n") for _ in range(15)]
            assert not all(taken)


def test_bodies_that_are_too_long_are_refused_before_they_arrive(
    model_server: ModelServer,
) -> None:
    with unmoved(model_server, 100), connections(model_server, 12) as clients:
        for client in clients:
            client.sendall(head(200 * MEGABYTE) + b'{"instances": [')
        assert [status_of(client) for client in clients] == [413] * 12


def test_a_plain_client_that_sends_too_much_can_read_why(model_server: ModelServer) -> None:
    body = b" " * (LARGEST + MEGABYTE)
    with unmoved(model_server, 200):
        reply = requests.post(model_server.rest_url + PREDICT, body, timeout=60)
    assert reply.status_code == 413
    assert f"at most {LARGEST} bytes" in reply.json()["error"]


def test_unfinished_bodies_share_a_budget_and_leave_room_for_small_ones(
    model_server: ModelServer,
) -> None:
    piece = b" " * MEGABYTE
    with unmoved(model_server, 450), connections(model_server, 12) as clients:
        for client in clients:
            client.sendall(head(LARGEST))
        for _ in range(63):
            for client in clients:
                send_all(client, piece)
        reply = requests.post(model_server.rest_url + PREDICT, '{"instances": []}', timeout=30)
        assert reply.status_code == 400
        refused = [client for client in clients if _has_reply(client)]
        assert 6 <= len(refused) < 12
        assert {status_of(client) for client in refused} == {503}


def _has_reply(client: socket.socket) -> bool:
    client.settimeout(0.5)
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False


def test_slow_heads_and_bodies_keep_nobody_waiting(model_server: ModelServer) -> None:
    body = b'{"instances": []}'
    with unmoved(model_server, 100), connections(model_server, 50) as clients:
        for byte in head(len(body)) + body:
            for client in clients:
                client.sendall(bytes([byte]))
        assert [status_of(client) for client in clients] == [400] * 50


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process may open 2,500 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2_500:
        pytest.skip("this process may not open 2,500 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2_500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_2000_silent_connections_need_no_threads(model_server: ModelServer) -> None:
    before = threads_of(model_server)
    with unmoved(model_server, 100), connections(model_server, 2_000):
        time.sleep(1)
        assert threads_of(model_server) <= before + 5


def threads_of(server: ModelServer) -> int:
    """Threads of the server's process."""
    assert server.process is not None
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Threads:"))


@pytest.mark.parametrize("size", [2**20, 2**30], ids=["that is no JSON", "that is too large"])
def test_a_gzip_body_has_the_limit_of_any_other(model_server: ModelServer, size: int) -> None:
    packed = gzip.compress(b" " * size, compresslevel=1)
    headers = {"Content-Encoding": "gzip"}
    with unmoved(model_server, 250):
        reply = requests.post(model_server.rest_url + PREDICT, packed, headers=headers, timeout=60)
    assert reply.status_code == (400 if size < LARGEST else 413)
    assert reply.json()["error"]


@pytest.mark.parametrize(
    "packed",
    [b"no gzip", gzip.compress(b"{}")[:-9], gzip.compress(b"") * 2],
    ids=["no gzip", "cut", "two members"],
)
def test_a_gzip_body_that_is_not_whole_is_refused(model_server: ModelServer, packed: bytes) -> None:
    headers = {"Content-Encoding": "gzip"}
    reply = requests.post(model_server.rest_url + PREDICT, packed, headers=headers, timeout=30)
    assert reply.status_code == 400
    assert "gzip" in reply.json()["error"]


NO_HTTP = {
    "negative size": b"-1\r\n",
    "hexadecimal prefix": b"0x3\r\nabc\r\n0\r\n\r\n",
    "space after the size": b"3 \r\nabc\r\n0\r\n\r\n",
    "no line end": b"3\r\nabcX0\r\n\r\n",
    "endless size": b"1" * 1000,
}


@pytest.mark.parametrize("chunks", NO_HTTP.values(), ids=NO_HTTP)
def test_malformed_chunks_end_the_connection(model_server: ModelServer, chunks: bytes) -> None:
    top = (
        f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )
    with unmoved(model_server, 100), connections(model_server, 1) as (client,):
        client.sendall(top + chunks)
        assert status_of(client) in (0, 400)
        client.settimeout(10)
        assert client.recv(1) == b""


def test_clients_that_hang_up_leave_no_work_behind(model_server: ModelServer) -> None:
    row = json.dumps([[[1, 2, 3]] * 224] * 224)
    body = f'{{"instances": [{row}]}}'.encode()

    def hang_up() -> None:
        with socket.create_connection((HOST, model_server.rest_port), 30) as client:
            client.sendall(head(len(body)) + body)

    with unmoved(model_server, 300):
        for _ in range(3):
            clients = [threading.Thread(target=hang_up) for _ in range(12)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
        started = time.monotonic()
        reply = requests.post(model_server.rest_url + PREDICT, '{"instances": []}', timeout=30)
        assert reply.status_code == 400
        assert time.monotonic() - started < 20


PAGES = {
    "no-cors": {"Origin": "https://evil.example", "Content-Type": "text/plain"},
    "form": {"Origin": "null", "Content-Type": "application/x-www-form-urlencoded"},
    "by a name that leads here": {
        "Origin": "http://rebound.example:8501",
        "Host": "rebound.example:8501",
    },
    "by its site": {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"},
}


@pytest.mark.parametrize("headers", PAGES.values(), ids=PAGES)
def test_a_page_of_another_origin_is_refused(
    model_server: ModelServer, headers: dict[str, str]
) -> None:
    body = '{"instances": [1]}'
    with unmoved(model_server, 100):
        reply = requests.post(model_server.rest_url + PREDICT, body, headers=headers, timeout=30)
    assert reply.status_code == 403
    assert "--rest_api_enable_cors_support" in reply.json()["error"]


@pytest.mark.parametrize("path", ["/v1/models/us_bills", "/monitoring/prometheus/metrics"])
def test_a_page_that_reads_by_a_name_that_leads_here_is_refused(
    model_server: ModelServer, path: str
) -> None:
    headers = {"Host": "rebound.example:8501"}
    reply = requests.get(model_server.rest_url + path, headers=headers, timeout=30)
    assert reply.status_code == 403
    assert "--allowed_hosts" in reply.json()["error"]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_programs_may_send_any_content_type(model_server: ModelServer, kind: str) -> None:
    headers = {"Content-Type": kind, "Origin": model_server.rest_url}
    url = model_server.rest_url + PREDICT
    reply = requests.post(url, '{"instances": []}', headers=headers, timeout=30)
    assert "at key 'instances'" in reply.json()["error"]
