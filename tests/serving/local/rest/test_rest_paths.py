"""Which request each path stands for, and which paths are refused."""

from __future__ import annotations

import json
import socket

import pytest

from serving.local.errors import Code, StatusError
from serving.local.rest.request import HttpError
from serving.local.rest.rest_api import failure
from tests.support.servers import HOST, ModelServer


def get(server: ModelServer, path: str) -> tuple[str, bytes]:
    """The status line and the body of the reply."""
    return send(server, f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())


def send(server: ModelServer, head: bytes) -> tuple[str, bytes]:
    """The same for whatever is sent."""
    with socket.create_connection((HOST, server.rest_port), timeout=30) as connection:
        connection.sendall(head)
        received = b"".join(iter(lambda: connection.recv(1000), b""))
    first, _, body = received.partition(b"\r\n\r\n")
    return first.split(b"\r\n")[0].decode(), body


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1/models/half%2Fx", "Could not find any versions of model half/x"),
        ("/v1/models/half%3Apredict", "Could not find any versions of model half:predict"),
        ("/v1/models/%FF", "Could not find any versions of model \udcff"),
        ("/v1/models/half%2Fversions%2F1", "Could not find any versions of model half/versions/1"),
        ("/v1/models/a%20b/c", "Malformed request: GET /v1/models/a%20b/c"),
        ("/v1/models/half/labels/", "Malformed request: GET /v1/models/half/labels/"),
        ("/v1/models/half/versions/0", "Could not find version 0 of model half"),
        ("/v1/models/half#x", "Could not find any versions of model half#x"),
        ("/v1/models/half/labels/a%2Fb/metadata", "Unrecognized servable version label: a/b"),
    ],
)
def test_a_path_is_read_before_it_is_decoded(
    small_server: ModelServer, path: str, message: str
) -> None:
    _, body = get(small_server, path)
    assert json.loads(body.decode("utf-8", "surrogateescape")) == {"error": message}


@pytest.mark.parametrize("path", ["/v1/models/%68alf", "HTTP://a/v1/models/half"])
def test_a_name_may_be_encoded_and_an_authority_may_come_first(
    small_server: ModelServer, path: str
) -> None:
    status, body = get(small_server, path)
    assert status == "HTTP/1.1 200 OK"
    assert "model_version_status" in json.loads(body)


@pytest.mark.parametrize("path", ["/", "/v1", "//v1/models/half", "*"])
def test_a_path_beside_the_api_is_not_found(small_server: ModelServer, path: str) -> None:
    assert get(small_server, path)[0] == "HTTP/1.1 404 Not Found"


@pytest.mark.parametrize("name", ["{half}", "half%zz", "half|x", "half#a#b", '"'])
def test_odd_names_are_names_of_no_model(small_server: ModelServer, name: str) -> None:
    status, body = get(small_server, f"/v1/models/{name}")
    assert status == "HTTP/1.1 404 Not Found"
    assert name.replace("%zz", "") in json.loads(body)["error"].replace("%zz", "")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/models/half\r\n\r\n",
        b"GET /v1/models/half x HTTP/1.1\r\n\r\n",
        b"GET /v1/models/half HTTP/2.0\r\n\r\n",
        b"GET /v1/models/half HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /v1/models/half HTTP/1.1\r\n folded: from nothing\r\n\r\n",
        b"POST /v1/models/half:predict HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_no_head_is_refused(small_server: ModelServer, head: bytes) -> None:
    status, _ = send(small_server, head)
    assert status == "HTTP/1.1 400 Bad Request"


def test_a_method_that_is_not_known_is_refused(small_server: ModelServer) -> None:
    assert send(small_server, b"TRACE /v1/models/half HTTP/1.1\r\n\r\n")[0].endswith(
        "501 Not Implemented"
    )


def test_head_has_the_headers_of_its_answer_and_no_body(small_server: ModelServer) -> None:
    head = b"HEAD /v1/models/half HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert send(small_server, head) == ("HTTP/1.1 400 Bad Request", b"")


@pytest.mark.parametrize("error", [HttpError(503, ""), StatusError(Code.UNAVAILABLE, "")])
def test_a_503_says_when_to_try_again(error: StatusError) -> None:
    reply = failure(error)
    assert (reply.status, reply.headers) == (503, {"Retry-After": "1"})
