"""A body is read in whatever form it comes, and one without end is refused."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from email.message import Message
from io import BytesIO

import pytest
import requests

from serving.local.http_body import (
    MAX_BODY_BYTES,
    MAX_LINE_BYTES,
    MAX_TRAILER_LINES,
    BadRequestError,
    read_body,
)
from tests.support.servers import HOST, ModelServer

MEGABYTE = 2**20
CHUNKED = "Transfer-Encoding: chunked"


def body(stream: bytes, *headers: str) -> bytes:
    message = Message()
    for header in headers:
        message.add_header(*header.split(": "))
    return read_body(BytesIO(stream), message)


def test_a_body_has_the_length_that_is_told() -> None:
    assert body(b"abcdef", "Content-Length: 3") == b"abc"
    assert body(b"abcdef") == b""


def test_chunks_are_put_together_and_what_stands_around_them_is_left_out() -> None:
    stream = b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\nnext"
    assert body(stream, CHUNKED) == b"abcde"


def test_a_compressed_body_is_opened() -> None:
    packed = gzip.compress(b"abc")
    length = f"Content-Length: {len(packed)}"
    assert body(packed, length, "Content-Encoding: x-gzip") == b"abc"


@pytest.mark.parametrize(
    "rest",
    [b"x", b"12345678", gzip.compress(b"def")],
    ids=["a letter", "as long as a trailer", "another member"],
)
def test_a_compressed_body_that_something_follows_counts_as_empty(rest: bytes) -> None:
    packed = gzip.compress(b"abc") + rest
    assert body(packed, f"Content-Length: {len(packed)}", "Content-Encoding: gzip") == b""


def test_only_gzip_in_lower_case_is_opened() -> None:
    assert body(b"abc", "Content-Length: 3", "Content-Encoding: GZIP") == b"abc"


@pytest.mark.parametrize(
    "stream",
    [
        b"z\r\n",
        b"-1\r\n",
        b"1;" + b"x" * MAX_LINE_BYTES,
        b"1\r\na" + b"x" * MAX_LINE_BYTES,
        b"0\r\n" + b"x" * MAX_LINE_BYTES,
        b"0\r\n" + b"X: y\r\n" * MAX_TRAILER_LINES,
    ],
    ids=["no number", "negative", "long size", "long end", "long trailer", "endless trailer"],
)
def test_chunks_that_nobody_can_read_are_refused(stream: bytes) -> None:
    with pytest.raises(BadRequestError):
        body(stream, CHUNKED)


def test_a_client_that_closes_in_the_middle_is_told_from_a_short_body() -> None:
    with pytest.raises(ConnectionResetError):
        body(b"abc", "Content-Length: 4")
    with pytest.raises(ConnectionResetError):
        body(b"4\r\nabc", CHUNKED)


def predict_url(server: ModelServer) -> str:
    return f"{server.rest_url}/v1/models/half:predict"


def test_the_number_of_chunks_does_not_matter(small_server: ModelServer) -> None:
    text = b'{"instances": [1]' + b" " * 300_000 + b"}"
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in text)
    head = f"POST /v1/models/half:predict HTTP/1.1\r\n{CHUNKED}\r\n\r\n".encode()
    with socket.create_connection((HOST, small_server.rest_port), timeout=60) as connection:
        connection.sendall(head + pieces + b"0\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_a_body_that_is_larger_than_is_taken_is_refused_with_a_sentence(
    small_server: ModelServer,
) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // MEGABYTE + 1):
            yield b" " * MEGABYTE

    reply = requests.post(predict_url(small_server), data=pieces(), timeout=60)
    assert (reply.status_code, reply.headers["Connection"]) == (413, "close")
    expected = f"Expected a request body of at most {MAX_BODY_BYTES} bytes. Received: more."
    assert reply.json() == {"error": expected}


def test_a_length_that_is_larger_than_is_taken_is_refused_before_the_body_comes(
    small_server: ModelServer,
) -> None:
    with socket.create_connection((HOST, small_server.rest_port), timeout=60) as connection:
        head = "POST /v1/models/half:predict HTTP/1.1\r\nContent-Length: {}\r\n\r\n"
        connection.sendall(head.format(MAX_BODY_BYTES + 1).encode())
        received = b"".join(iter(lambda: connection.recv(1000), b""))
    assert received.startswith(b"HTTP/1.1 413 ")
    assert "at most" in json.loads(received.partition(b"\r\n\r\n")[2])["error"]
