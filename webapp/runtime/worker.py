"""Gunicorn's threads, which only whole requests cost: all other connections wait in one poller.

A connection that is silent, sends its request in drops or whose refused upload is still on its way
costs a file descriptor, a deadline and what has come of its request, which counts in the memory
budget (see `webapp.runtime.waiting`). Only chunked bodies are read by threads, a few for all.

This overrides undocumented methods of gunicorn's thread worker, so the package is pinned to one
major version. Without it, 300 silent connections keep `/livez` waiting for 10 s, and an upload that
is refused ends as a broken pipe; with it that takes about 1 s, and the reply arrives.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from webapp.runtime.connection import MOST_HEAD, Arrival, Connection
from webapp.runtime.deadlines import Deadlines
from webapp.runtime.waiting import WaitingConnections
from webapp.settings import Settings
from webapp.uploads.memory_budget import NO_ROOM

MOMENT = 0.05
"""Seconds that a thread waits for the next request of the connection it has answered."""

KEPT = 75.0
"""Seconds that a connection is kept for its next request: longer than the minute of most proxies.

A request that is on its way when the other side closes is lost (RFC 9112, 9.3.1).
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

    A client that asks again at once, as a busy proxy does, finds the thread that answered it: by
    gunicorn alone each request of a kept connection goes twice through the thread that waits for
    all connections, which took a third of Python's time.
    """

    def init_process(self) -> None:
        """Prepare the pools and the poller, in the process that serves."""
        self.settings: Settings = self.app.settings
        self.prepare()
        super().init_process()

    def prepare(self) -> None:
        """Prepare what is this class's own."""
        self.arriving = Deadlines(self.settings.patience, self.settings.timeout)
        self._next_look = 0.0
        self.most = self.worker_connections
        # Gunicorn would stop to accept where it has as many; here an older one is closed.
        self.worker_connections += 1
        chunked = max(1, self.settings.threads // CHUNKED_SHARE)
        self.chunked_pool = ThreadPoolExecutor(chunked, "chunked")
        self.health_pools = {
            name: ThreadPoolExecutor(HEALTH_THREADS, name) for name in ("livez", "metrics")
        }

    def run(self) -> None:
        """Serve until told to stop."""
        self.waiting = WaitingConnections(self.poller)
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
        budget, most = self.wsgi.extensions["budget"], self.settings.max_bytes
        ends = client, address, listener.getsockname()
        conn = Connection(self.cfg, *ends, budget=budget, most_body=most)
        if self.nr_conns > self.most and not self._close_oldest():
            self._close(conn)
        else:
            self._wait_for_request(conn, self.settings.silence)

    def _wait_for_request(self, conn: Connection, seconds: float) -> None:
        conn.deadline = time.monotonic() + seconds
        self.waiting.add(conn, self._on_arrival)
        self._on_arrival(conn)

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
                self.waiting.remove(conn)
                self._dispatch(conn)
            case Arrival.TOO_LARGE:
                self.waiting.remove(conn)
                self._refuse(conn, 431, f"The headers have more than {MOST_HEAD:,} bytes.")
            case Arrival.CLOSED:
                self._drop(conn)

    def _wait_for_body(self, conn: Connection) -> None:
        now = time.monotonic()
        if not conn.latest:
            conn.latest = now + self.settings.patience
            self.waiting.requeue(conn)
        conn.deadline = min(now + self.settings.silence, conn.latest)

    def _make_room(self, conn: Connection) -> None:
        while not conn.reserve():
            stalest = self.waiting.stalest_body()
            self.waiting.remove(stalest)
            self._refuse(stalest, 503, NO_ROOM)
            if stalest is conn:
                return

    def _dispatch(self, conn: Connection) -> None:
        asked = conn.asks_for_health
        if asked and conn.unread:
            # A client that reads no replies would hold the thread that writes the next one.
            self._close(conn)
        elif asked:
            self._submit(conn, self._answer, self.health_pools[asked])
        elif self.nr_conns - len(self.waiting) > self.most - RESERVED:
            self._refuse(conn, 503, "Too many requests at this moment. Please try again.")
        else:
            self._submit(conn, self.handle, self.chunked_pool if conn.is_chunked else self.tpool)

    def _submit(self, conn: Connection, handle: Any, pool: ThreadPoolExecutor) -> None:
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
            self.waiting.add(conn, self._on_rest)
        else:
            self._close(conn)

    def _on_rest(self, conn: Connection) -> None:
        if not conn.discard():
            self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        self.waiting.remove(conn)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()

    def _close_oldest(self) -> bool:
        if oldest := self.waiting.oldest():
            self._drop(oldest)
        return oldest is not None

    def murder_pending(self) -> None:
        """Close what has waited for too long; gunicorn calls this after every turn of its loop."""
        now = time.monotonic()
        # Thousands of connections may wait: looking at each in every turn would take the core.
        if now < self._next_look:
            return
        self._next_look = now + _PAUSE
        for conn in self.waiting:
            # What has begun to arrive is answered; the worker waits for it as long as for threads.
            if not (self.alive or conn.latest):
                conn.deadline = min(conn.deadline, now + _LAST)
            if conn.deadline <= now:
                # What has come since the last turn, on a busy machine some time ago, is not late.
                act = self._on_arrival if conn.asks else self._give_up
                act(conn)

    def _give_up(self, conn: Connection) -> None:
        if conn.latest and self.alive:
            self.waiting.remove(conn)
            conn.give_up()
            self._dispatch(conn)
        else:
            self._drop(conn)

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
        # While there are more connections than threads, no thread begins to wait.
        may_wait = self.alive and self.nr_conns <= self.cfg.threads
        return may_wait and conn.receive_within(MOMENT) is Arrival.WHOLE and not conn.is_chunked

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        # What cannot be read to its end is closed, and is no news.
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except Exception:
            return False
