"""Bounds on the time that a thread spends with one client: to receive, to answer, to be read."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Deadlines:
    """Ends the reading side of connections whose request has taken too long to arrive.

    A request that has arrived is answered on the other side, which ends where the client takes
    too long to read it.

    Args:
        seconds: For a request to arrive, and again for its answer to be read.
        answering: For the answer itself.
    """

    def __init__(self, seconds: float, answering: float = 0.0) -> None:
        self._seconds = seconds
        self._all = 2 * seconds + answering
        self._started: dict[socket.socket, float] = {}

    @contextmanager
    def watch(self, connection: socket.socket) -> Iterator[None]:
        """Give a request that arrives within the block the time that there is for it."""
        self._started[connection] = time.monotonic()
        try:
            yield
        finally:
            del self._started[connection]

    def enforce(self) -> None:
        """Look at all that arrive, for ever."""
        while True:
            time.sleep(min(1.0, self._seconds / 4))
            now = time.monotonic()
            for connection, started in list(self._started.items()):
                if now - started > self._seconds:
                    ended = now - started > self._all
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR if ended else socket.SHUT_RD)
