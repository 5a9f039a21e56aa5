"""One request over HTTP and its reply, as Tornado hands on the pieces of it."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from concurrent.futures import Future
from http.client import responses

from tornado import httputil
from tornado.http1connection import HTTP1Connection

from serving.concurrency import ByteBudget
from serving.local.deadline import Deadline
from serving.local.errors import Code
from serving.local.rest.request import Body, HttpError, Request
from serving.local.rest.rest_api import Reply, RestApi, failure
from serving.local.settings import Settings
from serving.local.threads import StartedPool

MAX_HEAD_BYTES = 16 * 2**10
BODY_SECONDS = 60.0
REPLY_SECONDS = 60.0
BUDGET_BODIES = 4
"""All bodies together, and what is read of a refused one, in bodies of the largest size."""
QUICK_ANSWERS = 2
"""Threads for states, metadata and metrics, which do not wait behind predictions."""

_AUTHORITY = re.compile(r"\Ahttps?://[^/?#]*", re.IGNORECASE)
"""At the beginning of a path, as a proxy is asked."""


class Backend:
    """What all exchanges share: the API, the threads that answer, and the bounds on bodies.

    Attributes:
        loop: runs all methods of an exchange.
        stopping: whether no new request is taken.
        under_way: the exchanges without a complete reply.
    """

    def __init__(self, settings: Settings, api: RestApi) -> None:
        """Starts the threads."""
        self.api = api
        self.timeout_ms = settings.rest_api_timeout_in_ms
        self.body_bytes = settings.rest_api_max_body_mb * 2**20
        self.budget = ByteBudget(BUDGET_BODIES * self.body_bytes)
        self.loop = asyncio.new_event_loop()
        self.stopping = False
        self.under_way: set[Exchange] = set()
        self._answers = StartedPool(settings.rest_api_num_threads, "REST")
        self._quick_answers = StartedPool(QUICK_ANSWERS, "REST quick")

    def submit(self, request: Request) -> Future[Reply]:
        """Has a request answered by a thread of a pool."""
        pool = self._answers if request.method == "POST" else self._quick_answers
        return pool.submit(self.api.handle, request)


class Exchange(httputil.HTTPMessageDelegate):
    """One request and its reply; all methods run in the loop's thread."""

    _request: Request

    def __init__(self, backend: Backend, connection: HTTP1Connection) -> None:
        self._backend = backend
        self._connection = connection
        self._gone = threading.Event()
        self._job: Future[Reply] | None = None
        self._refused = False
        self._discarded = 0
        self._began = time.monotonic()

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> None:
        """Refuses a request at once where its head suffices."""
        method, path, _ = map(str, start_line)
        gzip = "gzip" in headers.get("Content-Encoding", "")
        body = Body(self._backend.budget, self._backend.body_bytes, gzip=gzip)
        deadline = Deadline.after(self._backend.timeout_ms, self._gone.is_set)
        self._request = Request(method, _AUTHORITY.sub("", path), headers, body, deadline)
        self._backend.under_way.add(self)
        self._connection.set_close_callback(self.on_connection_close)
        try:
            _require_short_head(path, headers)
            if self._backend.stopping:
                raise HttpError(503, "The server is stopping.")
            body.expect(_length(headers))
            self._backend.api.check_head(self._request)
        except HttpError as error:
            self._refuse(error)

    def data_received(self, chunk: bytes) -> None:
        """Keeps a piece of the body, or passes over it."""
        if self._refused:
            self._discarded += len(chunk)
            if self._discarded > BUDGET_BODIES * self._backend.body_bytes:
                self._connection.finish()
            return
        try:
            self._request.body.add(chunk)
        except HttpError as error:
            self._request.body.release()
            self._refuse(error)

    def finish(self) -> None:
        """Has the request answered, now that its body is complete."""
        if self._refused:
            self._complete(close=True)
            return
        self._job = self._backend.submit(self._request)
        self._job.add_done_callback(
            lambda job: self._backend.loop.call_soon_threadsafe(self._answer, job)
        )

    def on_connection_close(self) -> None:
        """Notes that the client is gone; a request that still waits does not begin."""
        if self._gone.is_set():
            return
        self._gone.set()
        if self._job is not None:
            self._job.cancel()
        else:
            self._request.body.release()
            self._count_unless_refused()
        self._backend.under_way.discard(self)

    def _count_unless_refused(self) -> None:
        if not self._refused:
            late = time.monotonic() - self._began >= BODY_SECONDS
            code = Code.DEADLINE_EXCEEDED if late else Code.CANCELLED
            self._backend.api.count_early_end(self._request, code)

    def _answer(self, job: Future[Reply]) -> None:
        self._request.body.release()
        if not self._gone.is_set():
            close = self._backend.stopping
            self._write(job.result(), close=close)
            self._complete(close=close)

    def _refuse(self, error: HttpError) -> None:
        """Replies at once, and closes the connection after what is still on its way.

        Closing before it would take the reply back from the client (RFC 9112, 9.6).
        """
        self._refused = True
        self._backend.api.count_early_end(self._request, error.code)
        self._write(failure(error), close=True)
        if "Expect" in self._request.headers:
            self._connection.finish()

    def _write(self, reply: Reply, *, close: bool) -> None:
        headers = httputil.HTTPHeaders(dict(reply.headers))
        headers["Content-Type"] = reply.content_type
        headers["Date"] = httputil.format_timestamp(time.time())
        headers["Content-Length"] = str(len(reply.body))
        if close:
            headers["Connection"] = "close"
        line = httputil.ResponseStartLine("HTTP/1.1", reply.status, responses.get(reply.status, ""))
        body = None if self._request.method == "HEAD" else reply.body
        self._written = self._connection.write_headers(line, headers, body)
        self._written.add_done_callback(lambda _: self._backend.under_way.discard(self))
        # A client that does not read would hold the reply for ever.
        limit = self._backend.loop.call_later(REPLY_SECONDS, self._connection.stream.close)
        self._written.add_done_callback(lambda _: limit.cancel())

    def _complete(self, *, close: bool) -> None:
        self._connection.finish()
        if close:
            self._written.add_done_callback(lambda _: self._connection.close())


def _require_short_head(path: str, headers: httputil.HTTPHeaders) -> None:
    size = len(path) + sum(len(name) + len(value) + 4 for name, value in headers.get_all())
    if size > MAX_HEAD_BYTES:
        raise HttpError(431, f"Expected a request head of at most {MAX_HEAD_BYTES} bytes: {size}.")


def _length(headers: httputil.HTTPHeaders) -> int:
    """The length that a head tells; Tornado refuses one that is no number."""
    text = headers.get("Content-Length", "")
    return int(text) if text.isdecimal() and len(text) < 20 else 0
