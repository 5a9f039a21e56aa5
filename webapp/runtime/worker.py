"""Gunicorn's thread worker, in which only whole requests use a thread; a poller holds the others.

A connection that is silent, sends its request slowly or still sends a refused upload costs a file
descriptor, a deadline and the received part of its request, which counts in the memory budget (see
`webapp.runtime.waiting`). Threads read only chunked bodies, in a small separate pool.

This module overrides undocumented methods of gunicorn's thread worker, so gunicorn is pinned to one
major version. Without it, `/livez` waits 10 s behind 300 silent connections, and a refused upload
ends as a broken pipe; with it `/livez` takes about 1 s, and the reply arrives.
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
"""Seconds for which a thread waits for the next request on the connection that it answered."""
KEPT = 75.0
"""Seconds an idle connection is kept open: longer than the minute for which most proxies keep one,
since a request in transit to a server that closes the connection is lost (RFC 9112, 9.3.1)."""
HEALTH_THREADS = 2
"""Threads that answer only `/livez`; as many answer only `/metrics`."""
CHUNKED_SHARE = 4
"""One thread in this many, but at least one, reads chunked bodies; browsers, phones send none."""
RESERVED = 32
"""Connections that uploads must leave free, so that health checks still get one."""
_LAST = 2.0
"""Seconds for which a stopping worker keeps connections on which no body is arriving."""
_PAUSE = 0.25
"""Seconds between two checks for connections that have waited too long."""


class Worker(ThreadWorker):  # type: ignore[misc]
    """Answers requests in threads, with the `settings` of the application that gunicorn runs.

    If a client sends its next request immediately, as a busy proxy does, the same thread answers.
    In gunicorn's own worker, each request of a kept connection passes twice through the poller's
    thread, which took a third of Python's time.
    """

    def init_process(self) -> None:
        """Prepare the pools and the poller, in the worker process."""
        self.settings: Settings = self.app.settings
        self.prepare()
        super().init_process()

    def prepare(self) -> None:
        """Prepare the attributes that this class adds."""
        self.arriving = Deadlines(self.settings.patience, self.settings.timeout)
        self._next_look = 0.0
        self.most = self.worker_connections
        # At the limit gunicorn would stop accepting; this worker closes an older connection.
        self.worker_connections += 1
        chunked = max(1, self.settings.threads // CHUNKED_SHARE)
        self.chunked_pool = ThreadPoolExecutor(chunked, "chunked")
        self.health_pools = {
            name: ThreadPoolExecutor(HEALTH_THREADS, name) for name in ("livez", "metrics")
        }

    def run(self) -> None:
        """Serve until stopped."""
        self.waiting = WaitingConnections(self.poller)
        try:
            super().run()
        finally:
            # If the parent process has ended, threads would otherwise serve kept connections on.
            self.alive = False

    def accept(self, listener: Any) -> None:
        """Accept a connection; with too many connections, close the oldest waiting one."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            # No file descriptor is left: closing a waiting connection frees one.
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
        if not conn.is_receiving_body:
            conn.body_deadline = now + self.settings.patience
            self.waiting.requeue(conn)
        conn.deadline = min(now + self.settings.silence, conn.body_deadline)

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
            # A client that does not read replies would block the thread that writes the next one.
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
        """Keep or close a connection after its request was answered; runs in the main thread."""
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
        # Closing a socket with unread bytes can destroy the reply (RFC 9112, 9.6).
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
        """Close connections that have waited too long; gunicorn calls this in each loop turn."""
        now = time.monotonic()
        # Thousands of connections may wait: checking each in every turn would use up the core.
        if now < self._next_look:
            return
        self._next_look = now + _PAUSE
        for conn in self.waiting:
            # A stopping worker waits for bodies that are arriving as long as for its threads.
            if not (self.alive or conn.is_receiving_body):
                conn.deadline = min(conn.deadline, now + _LAST)
            if conn.deadline <= now:
                # Bytes that arrived since the last turn, long ago on a busy machine, are not late.
                act = self._on_arrival if conn.asks else self._give_up
                act(conn)

    def _give_up(self, conn: Connection) -> None:
        if conn.is_receiving_body and self.alive:
            self.waiting.remove(conn)
            conn.give_up()
            self._dispatch(conn)
        else:
            self._drop(conn)

    def handle(self, conn: Connection) -> Any:
        """Answer one request after the other in a thread; return whether to keep the connection."""
        kept = self._answer(conn)
        while kept is True and self._asks_again(conn):
            conn.give_back()
            kept = self._answer(conn)
        return kept

    def _answer(self, conn: Connection) -> Any:
        with self.arriving.watch(conn.sock):
            return super().handle(conn)

    def _asks_again(self, conn: Connection) -> bool:
        # With more connections than threads, no thread waits for a next request.
        may_wait = self.alive and self.nr_conns <= self.cfg.threads
        return may_wait and conn.receive_within(MOMENT) is Arrival.WHOLE and not conn.is_chunked

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer one request; say so in the reply if its body will not be read to its end."""
        req.must_close = req.must_close or conn.leaves_body or conn.unreader.is_late
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        # A request that cannot be read to its end closes the connection, without a log entry.
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except Exception:
            return False
