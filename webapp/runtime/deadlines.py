"""Limits the time that a thread spends on one client: to receive, to answer and to send."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Deadlines:
    """Shuts down the reading side of connections whose request takes too long to arrive.

    The writing side stays open for the reply, and is shut down if the client takes too long to
    read the reply.

    Args:
        seconds: Seconds for a request to arrive, and again for the client to read its reply.
        answering: Seconds for computing the reply.
    """

    def __init__(self, seconds: float, answering: float = 0.0) -> None:
        self._seconds = seconds
        self._all = 2 * seconds + answering
        self._started: dict[socket.socket, float] = {}

    @contextmanager
    def watch(self, connection: socket.socket) -> Iterator[None]:
        """Apply the time limits to a request that is received and answered within the block."""
        self._started[connection] = time.monotonic()
        try:
            yield
        finally:
            del self._started[connection]

    def enforce(self) -> None:
        """Check all watched connections, for ever."""
        while True:
            time.sleep(min(1.0, self._seconds / 4))
            now = time.monotonic()
            for connection, started in list(self._started.items()):
                if now - started > self._seconds:
                    ended = now - started > self._all
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR if ended else socket.SHUT_RD)
