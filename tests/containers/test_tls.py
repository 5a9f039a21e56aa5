"""HTTPS as phones use it: a real Caddy, with the configuration file of the profile `tls`."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.containers.stack import Stack
from tests.support.json_server import JsonHandler
from tests.support.servers import HOST, ROOT, free_port, wait_until

# What the person who starts it says, and phones type: no address of this machine, as none of a
# container is what phones type.
ADDRESS = "192.0.2.20"


class Echo(JsonHandler):
    """Stands where the front end is, and answers with the headers that came."""

    def answer(self) -> dict[str, Any]:
        return dict(self.headers)


class Caddy:
    """A running Caddy; `data` is its volume."""

    AUTHORITY = "/data/caddy/pki/authorities/local/root.crt"

    def __init__(self, port: int, data: Path) -> None:
        self.port = port
        authority = data / Path(self.AUTHORITY).relative_to("/data")
        self._trust = ssl.create_default_context(cafile=str(authority))

    def connect(self) -> ssl.SSLSocket:
        """A connection as browsers make it to an address, which is compared but not sent."""
        plain = socket.create_connection((HOST, self.port), timeout=10)
        return self._trust.wrap_socket(plain, server_hostname=ADDRESS)

    def get(self, path: str, **headers: str) -> tuple[HTTPResponse, str]:
        """A reply and its text."""
        with closing(HTTPConnection(ADDRESS)) as connection:
            connection.sock = self.connect()
            connection.request("GET", path, headers=headers)
            reply = connection.getresponse()
            return reply, reply.read().decode()


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    """The port of a server in the front end's place."""
    server = ThreadingHTTPServer((HOST, 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def caddy(upstream: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caddy]:
    """Caddy, told the address that phones type."""
    if not shutil.which("caddy"):
        pytest.skip("caddy is not installed")
    folder, port = tmp_path_factory.mktemp("caddy"), free_port()
    (folder / "Caddyfile").write_text(adapted(port, upstream))
    places = {"HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"],
            cwd=folder,
            env=os.environ
            | {k: str(v) for k, v in places.items()}
            | {"US_BILLS_HOSTNAME": ADDRESS},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in wait_until("Caddy's certificate", time.monotonic() + 60):
            assert process.poll() is None, log.read_text()
            if "certificate obtained" in log.read_text():
                break
        yield Caddy(port, folder)
    finally:
        process.terminate()
        process.wait(30)


def adapted(port: int, upstream: int) -> str:
    """The Caddyfile on free ports, in the words of the Caddy that is here."""
    text = (ROOT / "deploy" / "tls" / "Caddyfile").read_text()
    text = text.replace("8443", str(port)).replace("web:5000", f"{HOST}:{upstream}")
    said = subprocess.run(["caddy", "version"], capture_output=True, text=True, check=True).stdout
    if (version := re.search(r"2\.(\d+)", said)) and int(version[1]) < 7:
        # Called otherwise before 2.7.
        text = text.replace("request_buffers ", "buffer_requests\n\t\tmax_buffer_size ")
    return text


def test_a_client_that_asks_for_an_address_gets_its_certificate(caddy: Caddy) -> None:
    with caddy.connect() as connection:
        certificate = connection.getpeercert()
    assert certificate is not None
    assert certificate["subjectAltName"] == (("IP Address", ADDRESS),)


def test_the_page_is_passed_on_and_browsers_are_told_to_come_by_https_from_now_on(
    caddy: Caddy,
) -> None:
    reply, _ = caddy.get("/")
    assert reply.status == 200
    assert reply.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6detrics"])
def test_the_counts_are_not_for_the_world(caddy: Caddy, path: str) -> None:
    reply, body = caddy.get(path)
    assert (reply.status, body) == (404, "")


def test_the_front_end_gets_the_clients_address_and_scheme_whatever_its_headers_claim(
    caddy: Caddy,
) -> None:
    claim = {"X-Forwarded-For": "203.0.113.1", "X-Forwarded-Proto": "http"}
    _, heard = caddy.get("/", **claim)
    headers = json.loads(heard)
    assert headers["X-Forwarded-For"] == HOST
    assert headers["X-Forwarded-Proto"] == "https"


def test_no_protocol_is_announced_that_is_not_published(caddy: Caddy) -> None:
    reply, _ = caddy.get("/")
    assert "Alt-Svc" not in reply.headers


def test_the_profile_gives_the_page_over_https_to_clients_that_ask_for_an_address(
    stack: Stack, tmp_path: Path
) -> None:
    with stack.profile("tls", "caddy"):
        for _ in wait_until("Caddy's authority", time.monotonic() + 60):
            status, authority = stack.container("caddy").exec_run(["cat", Caddy.AUTHORITY])
            if status == 0:
                break
        assert isinstance(authority, bytes)
        file = tmp_path / "root.crt"
        file.write_bytes(authority)
        port = stack.ports["US_BILLS_HTTPS_PORT"]
        # Requests sends no name for an address, as browsers do not.
        reply = requests.get(f"https://{HOST}:{port}/livez", verify=str(file), timeout=10)
    assert reply.ok
