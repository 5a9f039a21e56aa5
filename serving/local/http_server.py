"""HTTP/1.1 for the REST skin: connections, bodies, and the manners of the original's server.

The standard library's server is used because the recorded manners ask for that much control: the
raw path, which headers come in which order, when a connection closes (recorded cases 170 to 208).
One thread for each connection.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import logging
import socket
import socketserver
import sys
import threading
from email.message import Message
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from serving.local import json_replies
from serving.local.http_body import BadRequestError, BodyTooLargeError, read_body
from serving.local.http_head import are_headers, is_request_line, target
from serving.local.rest_api import Reply, RestApi

log = logging.getLogger(__name__)

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
LINGER_BYTES = 2**30
LINGER_SECONDS = 5.0
"""What is still read of a body that is refused, at most; and how long each piece may take."""

MAX_HEAD_BYTES = 2**24
"""Of the request line and the headers together; the original knows no limit."""
# The standard library's own limit is for one line.
http.client._MAXLINE = MAX_HEAD_BYTES  # type: ignore[attr-defined]

_HTML = "<HTML><HEAD>\n<TITLE>{0} {1}</TITLE>\n</HEAD><BODY>\n<H1>{1}</H1>\n</BODY></HTML>\n"
_REASONS = responses | {429: "Client Error", 499: "Client Error", 504: "Gateway Time-out"}
"""The original's HTTP library knows those of HTTP/1.1 as it first was (recorded case 740)."""


class RestServer(ThreadingHTTPServer):
    """Listens for REST requests."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, host: str, port: int, api: RestApi) -> None:
        """Binds and listens; raises `OSError` where the port is taken."""
        self.api = api
        self.draining = False
        self._busy = 0
        self._idle = threading.Condition()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), RestHandler)

    def start(self) -> None:
        """Serves in a thread of its own."""
        threading.Thread(target=self.serve_forever, name="REST", daemon=True).start()

    def stop(self, grace_seconds: float) -> None:
        """Takes no new connection and waits for the requests under way."""
        self.draining = True
        self.shutdown()
        self.server_close()
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, grace_seconds)

    def answer(self, method: str, path: str, body: bytes, origin: str) -> Reply:
        """Hands one request to the API; while draining it is refused."""
        if self.draining:
            return Reply(503, json_replies.error("The server is stopping."))
        return self.api.handle(method, path, body, origin)

    def count(self, change: int) -> None:
        """Keeps the number of requests under way, until their last byte is sent."""
        with self._idle:
            self._busy += change
            self._idle.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            log.exception("A REST connection failed")

    def server_bind(self) -> None:
        """Binds without the reverse look-up of the host's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]


class RestHandler(BaseHTTPRequestHandler):
    """One connection."""

    server: RestServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    _leaves_unread = False

    def handle_one_request(self) -> None:
        """Reads the head of a request, long lines included (recorded cases 861 to 863)."""
        self.raw_requestline = self.rfile.readline(MAX_HEAD_BYTES)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if not self._parse_head():
            return
        if self.command in METHODS:
            self.serve()
        else:
            self.send_error(501)

    def _parse_head(self) -> bool:
        self.command, self.requestline, self.headers = "", "", Message()
        lines = self._head_lines() if is_request_line(self.raw_requestline) else None
        if lines is None or not are_headers(lines):
            self.send_error(400)
            return False
        rest, self.rfile = self.rfile, io.BytesIO(b"".join(lines))
        try:
            return self.parse_request()
        finally:
            self.rfile = rest

    def _head_lines(self) -> list[bytes] | None:
        """The header lines to the empty one, or None where they are too long."""
        left = MAX_HEAD_BYTES - len(self.raw_requestline)
        lines: list[bytes] = []
        while left > 0:
            lines.append(self.rfile.readline(left))
            left -= len(lines[-1])
            if lines[-1] in (b"\r\n", b"\n", b""):
                return lines
        return None

    def serve(self) -> None:
        """Answers one request."""
        self.server.count(+1)
        try:
            self._reply(self._answer())
            self.wfile.flush()
        except BadRequestError:
            self._leaves_unread = True
            self.send_error(400)
        except BodyTooLargeError as error:
            self._leaves_unread = True
            self._refuse(str(error))
        finally:
            self.server.count(-1)

    def _refuse(self, reason: str) -> None:
        self.close_connection = True
        self._reply(Reply(413, json_replies.error(reason), headers=(("Connection", "close"),)))
        self.wfile.flush()

    def finish(self) -> None:
        """Ends the connection, and before that reads on without keeping what is left unread.

        Closing on bytes that still come would take the reply back from the client.
        """
        if self._leaves_unread:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_WR)
                self.connection.settimeout(LINGER_SECONDS)
                left = LINGER_BYTES
                while left > 0 and (piece := self.rfile.read1(2**16)):
                    left -= len(piece)
        super().finish()

    def _answer(self) -> Reply:
        path = self._path()
        body = read_body(self.rfile, self.headers)
        if not self.server.api.serves(path):
            return _page(404)
        return self.server.answer(self.command, path, body, self.headers.get("Origin", ""))

    def _path(self) -> str:
        asked = target(self.requestline.split()[1])
        if asked is None:
            raise BadRequestError
        self.close_connection |= asked.absolute
        return asked.path

    def _reply(self, reply: Reply) -> None:
        old = self.request_version < "HTTP/1.1"
        keeps = "keep-alive" in self.headers.get("Connection", "").lower()
        self.close_connection |= reply.content_type == "text/html" or self.server.draining
        headers = [*reply.headers, ("Content-Type", reply.content_type)]
        if reply.content_type == "text/html" or (not old and self._asked_to_close()):
            headers.append(("Connection", "close"))
        if old and keeps:
            headers.append(("Connection", "keep-alive"))
        if not old:
            headers.append(("Date", self.date_time_string()))
        if not old or keeps:
            headers.append(("Content-Length", str(len(reply.body))))
        self._write(reply, headers, "HTTP/1.0" if old else "HTTP/1.1")

    def _asked_to_close(self) -> bool:
        return self.close_connection and "close" in self.headers.get("Connection", "").lower()

    def _write(self, reply: Reply, headers: list[tuple[str, str]], version: str) -> None:
        lines = [f"{version} {reply.status} {_reason(reply.status)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        # A body after HEAD, which the original sends, would be read as the next reply.
        self.wfile.write(head if self.command == "HEAD" else head + reply.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A page in place of the base class's, with the original's status codes."""
        status = code if code in (404, 501) else 400
        reply = _page(status)
        headers = [("Content-Type", reply.content_type), ("Connection", "close")]
        headers += [("Date", self.date_time_string()), ("Content-Length", str(len(reply.body)))]
        self.close_connection = True
        self._write(reply, headers, "HTTP/1.1")
        self.wfile.flush()

    def handle_expect_100(self) -> bool:
        """No interim reply, as recorded (185); clients send their body a moment later."""
        return True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Requests are not logged."""


def _page(status: int) -> Reply:
    return Reply(status, _HTML.format(status, _reason(status)).encode(), "text/html")


def _reason(status: int) -> str:
    return _REASONS.get(status, "")
