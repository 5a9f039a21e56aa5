"""Gunicorn's threads, which only whole requests cost: all other connections wait in one poller.

A connection that is silent, sends its request in drops or whose refused upload is still on its way
costs a file descriptor, a deadline and what has come of its request, which counts in the memory
budget. Of those the oldest is closed where there are too many. Where their bodies take too much
memory, the client with most of it loses the one that has been silent for longest. Only chunked
bodies are read by threads, which are a few for all of them.

This overrides methods of gunicorn's thread worker that its documentation does not list, so the
package is pinned to one major version. Without it, 300 silent connections keep `/livez` waiting for
10 s and 1,300 for 50 s, and an upload that is refused ends as a broken pipe; with it that takes
about 1 s, and the reply arrives.
"""

import logging
import select
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from webapp.runtime.connection import MOST_HEAD, Arrival, Connection
from webapp.settings import Settings
from webapp.uploads.memory_budget import NO_ROOM
from webapp.views.clients import network

MOMENT = 0.05
"""Seconds that a thread waits for the next request of the connection it has answered."""

KEPT = 75.0
"""Seconds that a connection is kept for its next request: longer than the minute of most proxies.

Whoever closes first must not find the other one asking: a request that is on its way then is lost,
and a client may repeat it by itself only where that changes nothing (RFC 9112, 9.3.1).
"""

HEALTH_THREADS = 2
"""Threads that answer `/livez` and nothing else; as many answer `/metrics`."""

CHUNKED_SHARE = 4
"""One in so many threads, or one, reads chunked bodies; browsers and phones send none."""

RESERVED = 32
"""Connections that uploads leave to others, so that the health of the process can be asked."""

_LAST = 2.0
"""Seconds that connections without a body under way get once the worker is to stop."""

_PAUSE = 0.25
"""Seconds between two looks at what has waited for too long."""


class Worker(ThreadWorker):  # type: ignore[misc]
    """Answers requests in threads, with `settings` of the application that gunicorn is given.

    A request gets only so long to arrive: one that trickles would keep its thread. A client that
    asks again at once, as a busy proxy does, finds the thread that answered it: by gunicorn alone
    each request of a kept connection goes twice through the thread that waits for all connections,
    which took a third of Python's time. While there are more connections than threads, no thread
    begins to wait.
    """

    def init_process(self) -> None:
        """Prepare the pools and the poller, in the process that serves."""
        self.settings: Settings = self.app.settings
        self.prepare()
        super().init_process()

    def prepare(self) -> None:
        """Prepare what is this class's own."""
        self.arriving = Deadlines(self.settings.patience, self.settings.timeout)
        self.waiting: dict[Connection, None] = {}
        self._next_look = 0.0
        self.most = self.worker_connections
        # Gunicorn would stop to accept where it has as many; here an older one is closed.
        self.worker_connections += 1
        self.chunked_pool = ThreadPoolExecutor(
            max(1, self.settings.threads // CHUNKED_SHARE), "chunked"
        )
        self.health_pools = {
            name: ThreadPoolExecutor(HEALTH_THREADS, name) for name in ("livez", "metrics")
        }
        self.log.error_log.addFilter(_is_news)

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            super().run()
        finally:
            # Where its parent is gone, a thread would else go on as long as its client asks.
            self.alive = False

    def accept(self, listener: Any) -> None:
        """Take a connection; where there are too many, the oldest that waits makes room."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            # No file descriptor is left: one that waits gives its own.
            if not self._close_oldest():
                self.log.warning("No connection can be accepted: %s", error)
                time.sleep(0.1)
            return
        self.nr_conns += 1
        conn = Connection(
            *(self.cfg, client, address, listener.getsockname()),
            budget=self.wsgi.extensions["budget"],
            most_body=self.settings.max_bytes,
        )
        if self.nr_conns > self.most and not self._close_oldest():
            self._close(conn)
        else:
            self._wait_for_request(conn, self.settings.silence)

    def _wait_for_request(self, conn: Connection, seconds: float) -> None:
        conn.deadline = time.monotonic() + seconds
        self._listen(conn, self._on_arrival)
        self._on_arrival(conn)

    def _listen(self, conn: Connection, callback: Callable[[Connection], None]) -> None:
        def on_event(_: object) -> None:
            # An earlier event of the same turn may have closed it to make room.
            if conn in self.waiting:
                callback(conn)

        self.waiting[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_READ, on_event)

    def _leave(self, conn: Connection) -> None:
        del self.waiting[conn]
        self.poller.unregister(conn.sock)

    def _on_arrival(self, conn: Connection) -> None:
        match conn.receive():
            case Arrival.PARTIAL_HEAD if conn.begins():
                conn.deadline = time.monotonic() + self.settings.silence
            case Arrival.PARTIAL_BODY:
                self._wait_for_body(conn)
            case Arrival.NO_ROOM:
                self._wait_for_body(conn)
                self._make_room(conn)
            case Arrival.WHOLE:
                self._leave(conn)
                self._dispatch(conn)
            case Arrival.TOO_LARGE:
                self._leave(conn)
                self._refuse(conn, 431, f"The headers have more than {MOST_HEAD:,} bytes.")
            case Arrival.CLOSED:
                self._leave(conn)
                self._close(conn)

    def _wait_for_body(self, conn: Connection) -> None:
        now = time.monotonic()
        if not conn.latest:
            conn.latest = now + self.settings.patience
            # It is no longer the oldest of those that wait.
            self.waiting[conn] = self.waiting.pop(conn)
        conn.deadline = min(now + self.settings.silence, conn.latest)

    def _make_room(self, conn: Connection) -> None:
        while not conn.reserve():
            stalest = _stalest_of_largest([each for each in self.waiting if each.latest])
            self._leave(stalest)
            self._refuse(stalest, 503, NO_ROOM)
            if stalest is conn:
                return

    def _dispatch(self, conn: Connection) -> None:
        if asked := conn.asks_for_health:
            # A client that reads no replies would hold the thread that writes the next one.
            if conn.unread:
                self._close(conn)
                return
            handle, pool = self._answer, self.health_pools[asked]
        elif self.nr_conns - len(self.waiting) > self.most - RESERVED:
            self._refuse(conn, 503, "Too many requests at this moment. Please try again.")
            return
        else:
            handle, pool = self.handle, self.chunked_pool if conn.is_chunked else self.tpool
        conn.give_back()
        done = partial(self.method_queue.defer, self.finish_request, conn)
        pool.submit(handle, conn).add_done_callback(done)

    def finish_request(self, conn: Connection, future: "Future[bool]") -> None:
        """Keep or close a connection whose request was answered; called in the main thread."""
        if not future.cancelled() and not future.exception() and future.result():
            self._wait_for_request(conn, KEPT)
        else:
            self._drain(conn)

    def _refuse(self, conn: Connection, status: int, sentence: str) -> None:
        self.wsgi.extensions["metrics"].count_refusal(status)
        with suppress(OSError):
            util.write_error(conn.sock, status, HTTPStatus(status).phrase, sentence)
        self._drain(conn)

    def _drain(self, conn: Connection) -> None:
        conn.forget()
        # A socket that is closed with something unread takes the reply back (RFC 9112, 9.6).
        if conn.stop_sending():
            conn.deadline = time.monotonic() + self.settings.patience
            self._listen(conn, self._on_rest)
        else:
            self._close(conn)

    def _on_rest(self, conn: Connection) -> None:
        if not conn.discard():
            self._leave(conn)
            self._close(conn)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()

    def _close_oldest(self) -> bool:
        for conn in self.waiting:
            self._leave(conn)
            self._close(conn)
            return True
        return False

    def murder_pending(self) -> None:
        """Close what has waited for too long; gunicorn calls this after every turn of its loop."""
        now = time.monotonic()
        # Thousands of connections may wait: looking at each in every turn would take the core.
        if now < self._next_look:
            return
        self._next_look = now + _PAUSE
        for conn in list(self.waiting):
            # What has begun to arrive is answered; the worker waits for it as long as for threads.
            if not (self.alive or conn.latest):
                conn.deadline = min(conn.deadline, now + _LAST)
            if conn.deadline <= now and conn.asks:
                # It has come since the last turn, which on a busy machine is some time ago.
                self._on_arrival(conn)
            elif conn.deadline <= now:
                self._leave(conn)
                self._give_up(conn)

    def _give_up(self, conn: Connection) -> None:
        if conn.latest and self.alive:
            conn.give_up()
            self._dispatch(conn)
        else:
            self._close(conn)

    def handle(self, conn: Connection) -> Any:
        """Answer one request after the other, in a thread; returns whether there may be more."""
        kept = self._answer(conn)
        while kept is True and self._asks_again(conn):
            conn.give_back()
            kept = self._answer(conn)
        return kept

    def _answer(self, conn: Connection) -> Any:
        with self.arriving.watch(conn.sock):
            return super().handle(conn)

    def _asks_again(self, conn: Connection) -> bool:
        if not self.alive or self.nr_conns > self.cfg.threads:
            return False
        end, readable = time.monotonic() + MOMENT, select.poll()
        readable.register(conn.sock, select.POLLIN)
        # What has come together with the last request is not seen at the socket any more.
        while (arrival := conn.receive()) in (Arrival.PARTIAL_HEAD, Arrival.PARTIAL_BODY):
            left = end - time.monotonic()
            if left <= 0 or not readable.poll(1000 * left):
                return False
        return arrival is Arrival.WHOLE and not conn.is_chunked

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        # What cannot be read to its end is closed, and is no news.
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except Exception:
            return False


def _stalest_of_largest(conns: list[Connection]) -> Connection:
    """Of the client whose bodies take most memory, the one that has been silent for longest."""
    held = Counter[str]()
    for conn in conns:
        held[network(conn.client[0])] += len(conn.received)
    [(largest, _)] = held.most_common(1)
    its_own = [conn for conn in conns if network(conn.client[0]) == largest]
    return min(its_own, key=lambda conn: conn.deadline)


def _is_news(record: logging.LogRecord) -> bool:
    # Gunicorn logs a traceback where a client reads no more of its reply.
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError | TimeoutError))


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
