"""HTTP/1.1 for the REST API, by Tornado: one thread for all connections, a pool for the answers.

What is bounded, and by whom: a head by `MAX_HEAD_BYTES`, a body by its own limit and by the
budget of all bodies (`request`), the wait for a head, for a body and for a client that reads its
reply by time (`exchange`), connections by the files that this process may open, answers at once by
the pool.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import threading
import time
from typing import Any, cast

from tornado import httputil
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from serving.local.ports import listen
from serving.local.rest.exchange import BODY_SECONDS, MAX_HEAD_BYTES, Backend, Exchange
from serving.local.rest.rest_api import RestApi
from serving.local.settings import Settings

_UNREAD_HEAD_BYTES = 4 * MAX_HEAD_BYTES
"""Beyond it, a connection is closed without a reply."""
IDLE_SECONDS = 75.0
"""How long a connection may wait before a head, and how long the head may take."""
PAUSE_SECONDS = 0.1

# Tornado tells of every connection that a client breaks off.
logging.getLogger("tornado.general").setLevel(logging.ERROR)


class RestServer:
    """Listens for REST requests."""

    def __init__(self, settings: Settings, api: RestApi) -> None:
        """Binds and listens; raises `OSError` where the port is taken."""
        self._socket = listen(settings.host, settings.rest_api_port)
        self._socket.setblocking(False)
        self.backend = Backend(settings, api)
        self.loop = self.backend.loop
        self._http = _Connections(self.backend)

    def start(self) -> None:
        """Serves in a thread of its own."""
        threading.Thread(target=self.loop.run_forever, name="REST loop", daemon=True).start()
        self._accepting = asyncio.run_coroutine_threadsafe(self._accept(), self.loop)

    def stop(self, grace_seconds: float) -> None:
        """Takes no new connection and waits for the requests under way."""
        asyncio.run_coroutine_threadsafe(self._finish(grace_seconds), self.loop).result()

    async def _accept(self) -> None:
        while True:
            try:
                connection, address = await self.loop.sock_accept(self._socket)
            except OSError:
                # No file is free: asking again at once would keep a core busy.
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                self._http.handle_stream(IOStream(connection), address)

    async def _finish(self, grace_seconds: float) -> None:
        self._accepting.cancel()
        self._socket.close()
        self.backend.stopping = True
        end = time.monotonic() + grace_seconds
        while self.backend.under_way and time.monotonic() < end:
            await asyncio.sleep(PAUSE_SECONDS / 10)


class _Connections(HTTPServer):
    """Tornado's server, with a bound on connections: half of the files of this process."""

    def initialize(self, backend: Backend) -> None:  # type: ignore[override]
        self.backend = backend
        self._open = 0
        self._most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
        super().initialize(
            self,
            max_header_size=_UNREAD_HEAD_BYTES,
            max_body_size=2**62,  # `Body` refuses sooner, and with a reply.
            idle_connection_timeout=IDLE_SECONDS,
            body_timeout=BODY_SECONDS,
        )

    def start_request(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        return Exchange(self.backend, cast("HTTP1Connection", request_conn))

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        if self._open >= self._most:
            stream.close()
            return
        self._open += 1
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        self._open -= 1
        super().on_close(server_conn)
