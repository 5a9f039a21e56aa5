"""Gunicorn's threads with two habits of their own: their patience ends, and they wait a moment."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from webapp.settings import Settings

MOMENT = 50
"""Milliseconds that a thread waits for the next request of the connection it has answered."""


def worker_class(settings: Settings) -> type[ThreadWorker]:
    """Make the class of gunicorn's worker that serves with `settings`.

    A request gets only so long to arrive: one that trickles would keep its thread. A client that
    asks again at once, as a busy proxy does, finds the thread that answered it: by gunicorn alone
    each request of a kept connection goes twice through the thread that waits for all connections,
    which took a third of Python's time. While there are more connections than threads, no thread
    begins to wait.
    """

    class Worker(ThreadWorker):  # type: ignore[misc]
        arriving = Deadlines(settings.patience)

        def run(self) -> None:
            try:
                super().run()
            finally:
                # Where its parent is gone, a thread would else go on as long as its client asks.
                self.alive = False

        def handle(self, connection: Any) -> Any:
            kept = self._answer(connection)
            while kept is True and self._asks_again(connection):
                kept = self._answer(connection)
            return kept

        def _answer(self, connection: Any) -> Any:
            with self.arriving.watch(connection.sock):
                return super().handle(connection)

        def _asks_again(self, connection: Any) -> bool:
            if not self.alive or self.nr_conns > self.cfg.threads:
                return False
            # What has come together with the last request is not seen at the socket any more.
            if connection.parser.unreader.buf.getvalue():
                return True
            readable = select.poll()
            readable.register(connection.sock, select.POLLIN)
            return bool(readable.poll(MOMENT))

    return Worker


class Deadlines:
    """Ends the reading side of connections whose request has taken too long to arrive.

    A request that has arrived is not touched: its answer is written on the other side.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
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
            late = time.monotonic() - self._seconds
            for connection, started in list(self._started.items()):
                if started < late:
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RD)
