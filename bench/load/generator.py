"""The load generator: a separate process that plays clients, the same for all measured systems.

A client sends its next request as soon as it has an answer (a closed loop), over one kept-open
connection, with a body prepared in advance; it obeys `Retry-After`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import grpc

from bench.load.workers import Worker, serve
from serving.wire.methods import PREDICT, UNLIMITED_MESSAGES

PATIENCE = 120.0

_CUT_OFF = "The connection was closed before the end of the reply."


@dataclass(frozen=True)
class Target:
    """The address and the body of the requests.

    Attributes:
        url: `http://host:port/path`, or `grpc://host:port` for `Predict` with a ready message.
        body: the file with the request's body or message.
        content_type: of the body, over HTTP.
    """

    url: str
    body: str
    content_type: str = "image/jpeg"


@dataclass(frozen=True)
class Load:
    """The result of one job.

    Attributes:
        milliseconds: of each answer with status 200, unordered.
        statuses: the number of requests by status; 0 means no answer.
        seconds: from the first request to the last answer.
        sent, received: bytes of one request and of its answer, HTTP headers included.
    """

    milliseconds: list[float]
    statuses: dict[str, int]
    seconds: float
    sent: int
    received: int


class Generator(Worker):
    """A context manager that runs the generator process and sends it jobs."""

    def __init__(self) -> None:
        super().__init__("bench.load.generator")

    def load(self, target: Target, clients: int, seconds: float) -> Load:
        """Runs `clients` clients for `seconds`, then waits for the requests in flight."""
        job = {"target": asdict(target), "clients": clients, "seconds": seconds}
        return Load(**self.ask(job))


class _Reply(NamedTuple):
    status: int
    sent: int = 0
    received: int = 0
    wait: float = 0.0


class _Answer(NamedTuple):
    at: float
    milliseconds: float
    reply: _Reply


_Send = Callable[[], _Reply]


def _run(target: Target, clients: int, seconds: float) -> Load:
    body, answers = Path(target.body).read_bytes(), list[_Answer]()
    # One more party than clients, this thread: no clock runs while the clients connect.
    ready = threading.Barrier(clients + 1)

    def be_a_client() -> None:
        send = _connect(target, body)
        ready.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            answer = _ask(send)
            answers.append(answer)
            time.sleep(answer.reply.wait)

    threads = [threading.Thread(target=be_a_client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return _summary(answers, started)


def _ask(send: _Send) -> _Answer:
    started = time.perf_counter()
    reply = send()
    now = time.perf_counter()
    return _Answer(now, 1000 * (now - started), reply)


def _summary(answers: list[_Answer], started: float) -> Load:
    good = [each for each in answers if each.reply.status == 200]
    one = good[0].reply if good else _Reply(0)
    return Load(
        milliseconds=[each.milliseconds for each in good],
        statuses=dict(Counter(str(each.reply.status) for each in answers)),
        seconds=max(each.at for each in answers) - started,
        sent=one.sent,
        received=one.received,
    )


def _connect(target: Target, body: bytes) -> _Send:
    return (_grpc if target.url.startswith("grpc://") else _Http)(target, body)


class _Http:
    """Sends the same bytes each time, and reads no more of a reply than HTTP requires.

    Python's own client spends a third of a millisecond on headers, which would be added to the
    measured time of each answer.
    """

    def __init__(self, target: Target, body: bytes) -> None:
        url = urlsplit(target.url)
        self._address = url.hostname or "", url.port or 80
        head = (
            f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\n"
            f"Content-Type: {target.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._message = head.encode() + body
        self._socket: socket.socket | None = None
        with suppress(OSError):
            self._open()

    def __call__(self) -> _Reply:
        try:
            connection = self._socket or self._open()
            connection.sendall(self._message)
            status, fields, received = self._read()
        # No reply, or a reply without a valid Content-Length.
        except (OSError, LookupError, ValueError):
            self._close()
            return _Reply(0)
        if fields.get("connection") == "close":
            self._close()
        return _Reply(status, len(self._message), received, float(fields.get("retry-after", 0)))

    def _open(self) -> socket.socket:
        self._socket = socket.create_connection(self._address, PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._socket.makefile("rb")
        return self._socket

    def _close(self) -> None:
        if self._socket:
            self._replies.close()
            self._socket.close()
            self._socket = None

    def _read(self) -> tuple[int, dict[str, str], int]:
        lines = [self._line()]
        while lines[-1] != b"\r\n":
            lines.append(self._line())
        fields = {}
        for line in lines[1:-1]:
            name, _, value = line.decode("latin-1").lower().partition(":")
            fields[name] = value.strip()
        length = int(fields["content-length"])
        if len(self._replies.read(length)) < length:
            raise ConnectionResetError(_CUT_OFF)
        return int(lines[0].split()[1]), fields, sum(map(len, lines)) + length

    def _line(self) -> bytes:
        line = self._replies.readline()
        if not line:
            raise ConnectionResetError(_CUT_OFF)
        return line


def _grpc(target: Target, message: bytes) -> _Send:
    own = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    channel = grpc.insecure_channel(
        urlsplit(target.url).netloc, options=[*own, *UNLIMITED_MESSAGES]
    )
    with suppress(grpc.FutureTimeoutError):
        grpc.channel_ready_future(channel).result(timeout=2)
    predict: Any = channel.unary_unary(PREDICT)

    def send() -> _Reply:
        try:
            return _Reply(200, len(message), len(predict(message, timeout=PATIENCE)))
        except grpc.RpcError:
            return _Reply(0)

    return send


def _do(job: dict[str, Any]) -> dict[str, Any]:
    return asdict(_run(Target(**job["target"]), job["clients"], job["seconds"]))


if __name__ == "__main__":
    serve(_do)
