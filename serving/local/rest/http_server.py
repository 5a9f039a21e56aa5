"""HTTP/1.1 for the REST API, by Tornado: one thread for all connections, a pool for the answers.

Limits: `MAX_HEAD_BYTES` for a head; a limit for each body and a budget for all (`request`);
timeouts for receiving a head, receiving a body and sending a reply; half of this process's file
descriptors for connections; the size of the pool for simultaneous answers.
"""

from __future__ import annotations

import asyncio
import logging
import re
import resource
import threading
import time
from http.client import responses
from typing import Any

from tornado import http1connection, httputil
from tornado.httputil import HTTPHeaders, ResponseStartLine
from tornado.iostream import IOStream

from serving.concurrency import ByteBudget
from serving.local.deadline import Deadline
from serving.local.errors import Code
from serving.local.ports import listen
from serving.local.rest.request import Body, HttpError, Request
from serving.local.rest.rest_api import Reply, RestApi, failure
from serving.local.settings import Settings
from serving.local.threads import StartedPool

MAX_HEAD_BYTES = 16 * 2**10
IDLE_SECONDS = 75.0
"""Timeout for an idle connection before a head, and for receiving the head."""
BODY_SECONDS = 60.0
REPLY_SECONDS = 60.0
PAUSE_SECONDS = 0.1
BUDGET_BODIES = 4
"""The budget of all bodies, as a multiple of the largest body."""
DISCARDED_BODIES = 4
"""The bytes that are read of a refused body, as a multiple of the largest body."""
QUICK_ANSWERS = 2
"""Threads for states, metadata and metrics, which do not wait behind predictions."""

_AUTHORITY = re.compile(r"\Ahttps?://[^/?#]*", re.IGNORECASE)  # Sent to proxies.

# Tornado logs every connection that a client closes early.
logging.getLogger("tornado.general").setLevel(logging.ERROR)


class RestServer(httputil.HTTPServerConnectionDelegate):
    """Listens for REST requests; `under_way` holds those without a complete reply."""

    def __init__(self, settings: Settings, api: RestApi) -> None:
        """Binds, listens and starts threads; raises `OSError` if the port is taken."""
        self._socket = listen(settings.host, settings.rest_api_port)
        self._socket.setblocking(False)
        self.loop = asyncio.new_event_loop()
        self.stopping = False
        self.under_way: set[Exchange] = set()
        self.api = api
        self.timeout_ms = settings.rest_api_timeout_in_ms
        self.body_bytes = settings.rest_api_max_body_mb * 2**20
        self.budget = ByteBudget(BUDGET_BODIES * self.body_bytes)
        self.answers = StartedPool(settings.rest_api_num_threads, "REST")
        self.quick_answers = StartedPool(QUICK_ANSWERS, "REST quick")
        self._connections: set[object] = set()
        self._most_connections = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
        self._bounds = http1connection.HTTP1ConnectionParameters(
            max_header_size=4 * MAX_HEAD_BYTES,  # Beyond this limit Tornado sends no reply.
            max_body_size=2**62,  # `Body` refuses earlier, with a reply.
            header_timeout=IDLE_SECONDS,
            body_timeout=BODY_SECONDS,
        )

    def start(self) -> None:
        """Serves in a separate thread."""
        threading.Thread(target=self.loop.run_forever, name="REST loop", daemon=True).start()
        self._accepting = asyncio.run_coroutine_threadsafe(self._accept(), self.loop)

    def stop(self, grace_seconds: float) -> None:
        """Accepts no new connections and waits for the requests under way."""
        asyncio.run_coroutine_threadsafe(self._finish(grace_seconds), self.loop).result()

    def start_request(self, server_conn: object, request_conn: Any) -> Exchange:
        """Returns the exchange to which Tornado passes the pieces of a request."""
        return Exchange(self, request_conn)

    def on_close(self, server_conn: object) -> None:
        """Forgets a closed connection, so that another one fits."""
        self._connections.discard(server_conn)

    async def _accept(self) -> None:
        while True:
            try:
                accepted, _ = await self.loop.sock_accept(self._socket)
            except OSError:
                # No file descriptor is free: an immediate retry would keep a core busy.
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if len(self._connections) >= self._most_connections:
                accepted.close()
                continue
            connection = http1connection.HTTP1ServerConnection(IOStream(accepted), self._bounds)
            self._connections.add(connection)
            connection.start_serving(self)

    async def _finish(self, grace_seconds: float) -> None:
        self._accepting.cancel()
        self._socket.close()
        self.stopping = True
        end = time.monotonic() + grace_seconds
        while self.under_way and time.monotonic() < end:
            await asyncio.sleep(PAUSE_SECONDS / 10)


class Exchange(httputil.HTTPMessageDelegate):
    """One request and its reply; all methods run in the loop's thread."""

    _request: Request
    _written: asyncio.Future[None]
    _is_last = False

    def __init__(self, server: RestServer, connection: http1connection.HTTP1Connection) -> None:
        self._server = server
        self._connection = connection
        self._gone = False
        self._receiving = True
        self._discarded = 0
        self._began = time.monotonic()

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        """Begins a request, or refuses it before its body if the head already allows that."""
        method, path, _ = start_line
        gzip = "gzip" in headers.get("Content-Encoding", "")
        body = Body(self._server.budget, self._server.body_bytes, gzip=gzip)
        self._request = Request(method, _AUTHORITY.sub("", path), headers, body)
        self._server.under_way.add(self)
        self._connection.set_close_callback(self.on_connection_close)
        try:
            if len(path) + len(str(headers)) > MAX_HEAD_BYTES:
                raise HttpError(431, f"Expected a request head of at most {MAX_HEAD_BYTES} bytes.")
            if self._server.stopping:
                raise HttpError(503, "The server is stopping.")
            length = headers.get("Content-Length", "")  # Tornado refuses non-numbers.
            body.expect(int(length) if length.isdecimal() and len(length) < 20 else 0)
            self._server.api.check_head(self._request)
        except HttpError as error:
            self._refuse(error)

    def data_received(self, chunk: bytes) -> None:
        """Keeps a piece of the body, or discards it if the request was refused."""
        if not self._receiving:
            self._discarded += len(chunk)
            if self._discarded > DISCARDED_BODIES * self._server.body_bytes:
                self._connection.finish()
            return
        try:
            self._request.body.add(chunk)
        except HttpError as error:
            self._refuse(error)

    def finish(self) -> None:
        """Lets a thread answer the request, whose body is now complete."""
        if not self._receiving:
            self._complete()
            return
        self._receiving = False
        server = self._server
        # As in the original, the time of the upload does not count.
        deadline = Deadline.after(server.timeout_ms, lambda: self._gone)
        request = self._request._replace(deadline=deadline)
        pool = server.answers if request.method == "POST" else server.quick_answers
        job = server.loop.run_in_executor(pool, server.api.handle, request)
        job.add_done_callback(self._answer)

    def on_connection_close(self) -> None:
        """Notes that the client has disconnected; a request that still waits is not run."""
        self._gone = True
        if self._receiving:
            late = time.monotonic() - self._began >= BODY_SECONDS
            code = Code.DEADLINE_EXCEEDED if late else Code.CANCELLED
            self._server.api.end_early(self._request, code)
        self._server.under_way.discard(self)

    def _answer(self, job: asyncio.Future[Reply]) -> None:
        self._request.body.release()
        if not self._gone:
            self._write(job.result(), is_last=self._server.stopping)
            self._complete()

    def _refuse(self, error: HttpError) -> None:
        """Replies, but reads on: closing early could lose the reply (RFC 9112, 9.6)."""
        self._receiving = False
        self._server.api.end_early(self._request, error.code)
        self._write(self._server.api.readable(failure(error)), is_last=True)
        if "Expect" in self._request.headers:
            self._connection.finish()

    def _write(self, reply: Reply, *, is_last: bool) -> None:
        headers = HTTPHeaders(dict(reply.headers))
        headers["Content-Type"] = reply.content_type
        headers["Date"] = httputil.format_timestamp(time.time())
        headers["Content-Length"] = str(len(reply.body))
        self._is_last = is_last
        if is_last:
            headers["Connection"] = "close"
        line = ResponseStartLine("HTTP/1.1", reply.status, responses.get(reply.status, ""))
        body = None if self._request.method == "HEAD" else reply.body
        self._written = self._connection.write_headers(line, headers, body)
        self._written.add_done_callback(lambda _: self._server.under_way.discard(self))
        # A client that does not read would keep the reply in memory for ever.
        limit = self._server.loop.call_later(REPLY_SECONDS, self._connection.stream.close)
        self._written.add_done_callback(lambda _: limit.cancel())

    def _complete(self) -> None:
        self._connection.finish()
        if self._is_last:
            self._written.add_done_callback(lambda _: self._connection.close())
