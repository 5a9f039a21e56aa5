"""One connection, which receives its next request before any thread handles it."""

import re
import select
import socket
import sys
import time
from contextlib import suppress
from enum import Enum, auto
from fcntl import ioctl
from termios import TIOCOUTQ

from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from webapp.runtime.unreader import NOTHING, Unreader
from webapp.uploads.memory_budget import MemoryBudget

MOST_HEAD = 32_768
"""Most bytes of a request's first line and headers together."""

MOST_DISCARDED = 100_000_000
"""Most bytes of a refused request that are read and discarded so that the client gets the reply."""

_END = b"\r\n\r\n"
_PIECE_OF_A_HEAD, _PIECE_OF_A_BODY = 16_384, 262_144
# Used only for requests without a body, since a body could keep the thread waiting.
_HEALTH = re.compile(rb"(?:GET|HEAD) /(livez|metrics)[ ?]")
_LENGTH = re.compile(
    rb"\r\ncontent-length[ \t]*:[ \t]*0*([0-9]{1,10})[ \t]*(?=\r\n)", re.IGNORECASE
)
_ANY_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect[ \t]*:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# Discarded bytes are never read, so all connections share one buffer.
_bin = memoryview(bytearray(65_536))


class Arrival(Enum):
    """How much of the next request has arrived."""

    PARTIAL_HEAD = auto()
    PARTIAL_BODY = auto()
    NO_ROOM = auto()
    """Part of a body that does not fit in the memory budget."""
    WHOLE = auto()
    """The whole request; of a request with a chunked body, which a thread reads, the head."""
    TOO_LARGE = auto()
    CLOSED = auto()


class Connection(TConn):  # type: ignore[misc]
    """A gunicorn connection that needs no thread until a whole request has arrived.

    Attributes:
        received: The received bytes of the next request, and of any requests after it.
        reserved: How many of these bytes are counted in the memory budget.
        deadline: When waiting ends unless bytes arrive, on the clock of `time.monotonic`.
        body_deadline: When waiting for the current body ends; 0 while no body is expected.
        leaves_body: Whether the current request has a body that nothing reads, since it is refused.
    """

    sock: socket.socket
    _begun: bool

    def __init__(self, *arguments: object, budget: MemoryBudget, most_body: int) -> None:
        super().__init__(*arguments)
        self.reserved = 0
        self.deadline = 0.0
        self.leaves_body = False
        self.data_ready = True
        self._budget, self._most_body = budget, most_body
        self._ended = False
        self._discarded = 0
        self._reset()
        self.init()
        self.unreader = self.parser.unreader = Unreader(self.sock, self.release)

    def receive(self) -> Arrival:
        """Read the bytes that have arrived, without waiting."""
        self.received += self.unreader.take_buffered()
        if (found := self._judge()) not in (Arrival.PARTIAL_HEAD, Arrival.PARTIAL_BODY):
            return found
        try:
            size = _PIECE_OF_A_BODY if self._head else _PIECE_OF_A_HEAD
            piece = self.sock.recv(size, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return found
        except OSError:
            return Arrival.CLOSED
        if not piece:
            # The application refuses an incomplete body.
            return Arrival.WHOLE if self._head else Arrival.CLOSED
        self.received += piece
        found = self._judge()
        no_room = found is Arrival.PARTIAL_BODY and not self.reserve()
        return Arrival.NO_ROOM if no_room else found

    def receive_within(self, seconds: float) -> Arrival:
        """Read what arrives within `seconds`, until a request is whole."""
        end, readable = time.monotonic() + seconds, select.poll()
        readable.register(self.sock, select.POLLIN)
        # `receive` before `poll`: bytes that arrived with the last request have left the socket.
        while (arrival := self.receive()) in (Arrival.PARTIAL_HEAD, Arrival.PARTIAL_BODY):
            left = end - time.monotonic()
            if left <= 0 or not readable.poll(1000 * left):
                break
        return arrival

    def reserve(self) -> bool:
        """Count the received bytes in the memory budget; return whether they fit."""
        count = len(self.received) - self.reserved
        if self._budget.take_early(count):
            self.reserved += count
            return True
        return False

    def release(self) -> None:
        """Return the reserved bytes to the memory budget."""
        count, self.reserved = self.reserved, 0
        self._budget.give_back_early(count)

    def give_back(self) -> None:
        """Pass the received bytes to gunicorn's parser."""
        self.unreader.received = memoryview(self.received)
        self._reset()

    def forget(self) -> None:
        """Drop the received bytes."""
        self.unreader.received = NOTHING
        self._reset()
        self.release()

    def give_up(self) -> None:
        """Make the application reply that the rest of the body did not arrive in time."""
        self.unreader.is_late = True

    def close(self, graceful: bool = False) -> None:
        """Close the connection, and free its memory."""
        self.forget()
        super().close(graceful)

    def begins(self) -> bool:
        """Report whether the next request has begun to arrive since the last call."""
        before, self._begun = self._begun, bool(self.received)
        return self._begun and not before

    @property
    def asks(self) -> bool:
        """Whether an unread request has begun to arrive, which closing would lose."""
        if self.received or self._ended:
            return False
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False

    @property
    def is_receiving_body(self) -> bool:
        """Whether a part of the current request's body is still to arrive."""
        return self.body_deadline > 0

    @property
    def is_chunked(self) -> bool:
        """Whether the request has a `Transfer-Encoding`, with or without a `Content-Length`."""
        return bool(_CODING.search(self.received, 0, self._head))

    @property
    def asks_for_health(self) -> str:
        """`livez` or `metrics` for a request that must never wait behind uploads, or empty."""
        match = _HEALTH.match(self.received)
        has_body = self.is_chunked or _ANY_LENGTH.search(self.received, 0, self._head)
        return match[1].decode() if match and not has_body else ""

    @property
    def unread(self) -> int:
        """Bytes of earlier replies that the client has not received (tcp(7), `SIOCOUTQ`)."""
        with suppress(OSError):
            return int.from_bytes(ioctl(self.sock, TIOCOUTQ, bytes(4)), sys.byteorder)
        return 0

    def stop_sending(self) -> bool:
        """Signal that no further reply follows; return False if the client has disconnected."""
        self._ended = True
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
            return True
        return False

    def discard(self) -> bool:
        """Discard arrived bytes, without waiting; return False at the end or the byte limit."""
        try:
            count = self.sock.recv_into(_bin, 0, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._discarded += count
        return count > 0 and self._discarded < MOST_DISCARDED

    def _reset(self) -> None:
        self.received = bytearray()
        self._head = self._size = 0
        self._begun = False
        self.body_deadline = 0.0

    def _judge(self) -> Arrival:
        if not self._head:
            # An empty line before a request is no head (RFC 9112, 2.2); gunicorn refuses it.
            end = self.received.find(_END)
            if end < 0:
                large = len(self.received) > MOST_HEAD
                return Arrival.TOO_LARGE if large else Arrival.PARTIAL_HEAD
            self._head = end + len(_END)
            self._size = self._head + self._body_to_receive()
            if len(self.received) < self._size:
                self._ask_for_body()
        return Arrival.WHOLE if len(self.received) >= self._size else Arrival.PARTIAL_BODY

    def _body_to_receive(self) -> int:
        # The application refuses a body that is too large, and gunicorn refuses a wrong length.
        self.leaves_body = False
        lengths = _LENGTH.findall(self.received, 0, self._head)
        if self.is_chunked or not _ANY_LENGTH.search(self.received, 0, self._head):
            return 0
        if len(lengths) != 1 or int(lengths[0]) > self._most_body:
            self.leaves_body = True
            return 0
        return int(lengths[0])

    def _ask_for_body(self) -> None:
        # Gunicorn would send `100 Continue` only in a thread, and curl waits a second for it.
        if expects := _EXPECT.search(self.received, 0, self._head):
            with suppress(OSError):
                self.sock.send(_CONTINUE, socket.MSG_DONTWAIT)
            start, end = expects.span()
            del self.received[start:end]
            self._head -= end - start
            self._size -= end - start
