"""One line a request: what was asked, what came of it, how long it took. Never the picture."""

import logging
import time
from urllib.parse import quote

from flask import Flask, Response, g, request

_log = logging.getLogger("webapp.access")


def init_app(app: Flask) -> None:
    """Log every request of `app` once it is answered."""
    app.before_request(_start)
    app.after_request(_write)


def _start() -> None:
    g.started = time.perf_counter()


def _write(response: Response) -> Response:
    elapsed_ms = (time.perf_counter() - g.started) * 1000
    _log.info(
        "%s %s %d %.1f ms %d bytes",
        request.method,
        # A path may hold line breaks; quoted, it cannot forge a line.
        quote(request.path),
        response.status_code,
        elapsed_ms,
        request.content_length or 0,
    )
    return response
