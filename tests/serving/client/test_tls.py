"""Certificates over HTTPS, and settings refused before a connection; see `local` for gRPC."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest

from serving.client import Tls, Unavailable, connect
from tests.support import certificates
from tests.support.json_server import JsonHandler

STATUS = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}


class Proxy(JsonHandler):
    """What a proxy with TLS before the REST port answers."""

    def answer(self) -> dict[str, Any]:
        return {"model_version_status": [STATUS]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def proxy(folder: Path) -> Iterator[str]:
    """The URL of a server that asks clients for a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "serving.crt", folder / "serving.key")
    context.load_verify_locations(folder / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    with HTTPServer(("127.0.0.1", 0), Proxy) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


def state_of(url: str, tls: Tls) -> str:
    client = connect(url, tls)
    try:
        return client.status("us_bills")[0].state
    finally:
        client.close()


def test_both_sides_show_their_certificate_over_https(proxy: str, folder: Path) -> None:
    assert state_of(proxy, certificates.of_client(folder)) == "AVAILABLE"


def test_without_its_own_certificate_or_the_authority_there_is_no_answer(
    proxy: str, folder: Path
) -> None:
    own = certificates.of_client(folder)
    for lacking in (Tls(own.ca), Tls(None, own.cert, own.key)):
        with pytest.raises(Unavailable):
            state_of(proxy, lacking)


@pytest.mark.parametrize(
    "url",
    ["grpc://127.0.0.1:8500", "http://127.0.0.1:8501", "grpc://10.0.0.1:8500,10.0.0.2:8500"],
)
def test_plain_text_is_refused_where_certificates_are_set(url: str, folder: Path) -> None:
    with pytest.raises(ValueError, match="expected grpcs:// or https://"):
        connect(url, certificates.of_client(folder))


def test_half_a_pair_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="Expected a client's certificate and its key"):
        Tls(cert=folder / "web.crt")


def test_a_file_that_cannot_be_read_is_told_when_the_client_is_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connect("grpcs://127.0.0.1:8500", Tls(tmp_path / "none"))
