"""Runs the front end in gunicorn, with threads, since it mostly waits for the network."""

import json
import logging
import os
import resource
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time
import uuid
from http import HTTPStatus
from typing import Any

from flask import Flask
from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from serving.client import ServingError
from webapp.allocator import return_large_blocks
from webapp.decoding.pool import Busy, decoders
from webapp.inference.classifier import Classifier
from webapp.runtime.worker import RESERVED, Worker
from webapp.settings import COUNTS_FOLDER, Settings

# Each connection holds at most 32 kB of a head; see `webapp.runtime.connection`.
_MOST_CONNECTIONS = 4096
# File descriptors for the model server, decoders, counts and logs.
_OWN_FILES = 64


class Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn with the settings of the front end; `run()` serves until stopped."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Pass the settings to gunicorn; gunicorn's constructor calls this method."""
        options = {
            "bind": join(self.settings.host, self.settings.web_port),
            "worker_class": Worker,
            "workers": self.settings.workers,
            "threads": self.settings.threads,
            "worker_connections": _most_connections(),
            "graceful_timeout": int(self.settings.timeout) + 5,
            "loglevel": "warning",
            "post_worker_init": lambda worker: _prepare(worker, self.settings),
            "child_exit": lambda _arbiter, worker: _forget(worker.pid),
            "worker_exit": lambda _arbiter, worker: _close(getattr(worker, "wsgi", None)),
            "on_exit": lambda _arbiter: shutil.rmtree(
                os.environ[COUNTS_FOLDER], ignore_errors=True
            ),
            # By default gunicorn trusts headers from peers on this machine. A client of a proxy
            # there could then send SCRIPT_NAME, or contradictory X-Forwarded headers, which make
            # its request fail. Only `US_BILLS_PROXIES` decides which headers are trusted.
            "forwarded_allow_ips": "",
            # Gunicorn 25 and later would open a control socket in the home directory.
            "control_socket_disable": True,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the application; gunicorn calls this method in the worker, after the fork."""
        # Imported here: prometheus_client reads the path of its shared folder when imported.
        from webapp.app import create_app

        return create_app(self.settings)

    def run(self) -> None:
        """Serve, with a folder where the processes share their counts."""
        os.environ[COUNTS_FOLDER] = tempfile.mkdtemp(prefix="us-bills-counts-")
        # Called for input that never becomes a Flask request: not HTTP, or too long a header.
        util.write_error = _write_problem
        super().run()


def join(host: str, port: int) -> str:
    """Return host and port as one address, with brackets for IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _most_connections() -> int:
    # The usual soft limit, 1,024, exists for programs that use `select` (getrlimit(2)): raise it.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    few = most != resource.RLIM_INFINITY and most < _MOST_CONNECTIONS + _OWN_FILES
    return max(most - _OWN_FILES, RESERVED + 1) if few else _MOST_CONNECTIONS


def _write_problem(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:
    # Imported here for the same reason as in `load`.
    from webapp.telemetry.access_log import ID_HEADER
    from webapp.views.headers import HEADERS
    from webapp.views.problems import CONTENT_TYPE, RETRY_AFTER, describe

    body = json.dumps(describe(status_int, mesg or reason)).encode()
    headers = HEADERS | {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body))}
    headers |= {"Connection": "close", "Cache-Control": "no-store", ID_HEADER: uuid.uuid4().hex}
    headers |= RETRY_AFTER if status_int == 503 else {}
    first = f"HTTP/1.1 {status_int} {HTTPStatus(status_int).phrase}"
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    util.write_nonblock(sock, "\r\n".join([*lines, "", ""]).encode("latin-1") + body)


def _prepare(worker: Any, settings: Settings) -> None:
    # Gunicorn's threads would wait for ever for the rest of a request, or for the client to read
    # the reply. Connections inherit these timeouts from the listening socket; without them a few
    # phones that lost their connection would block every thread.
    seconds = int(settings.silence)
    silence = struct.pack("ll", seconds, int(1e6 * (settings.silence - seconds)))
    for listener in worker.sockets:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, silence)
    worker.log.error_log.addFilter(_is_news)
    _in_background(worker.arriving.enforce)
    _in_background(worker.wsgi.extensions["metrics"].past.keep)
    if (feedback := worker.wsgi.extensions["feedback"]) is not None:
        _in_background(feedback.keep_expiring)
    decoders.start()
    return_large_blocks()
    # Only the first of several workers announces that the front end is ready.
    if worker.age == 1:
        _in_background(_announce, worker.wsgi, settings)


def _is_news(record: logging.LogRecord) -> bool:
    # Gunicorn logs a traceback when a client stops reading its reply.
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError | TimeoutError))


def _in_background(target: Any, *arguments: Any) -> None:
    threading.Thread(target=target, args=arguments, daemon=True).start()


def _announce(app: Flask, settings: Settings) -> None:
    while not _ready(app):
        time.sleep(0.5)
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
    host = everywhere.get(settings.host, settings.host)
    # A single write: a log line of another thread must not separate the text from its line break.
    sys.stdout.write(f"us-bills is ready: open http://{join(host, settings.web_port)}\n")
    sys.stdout.flush()


def _ready(app: Flask) -> bool:
    classifier: Classifier = app.extensions["classifier"]
    try:
        classifier.check_ready()
    except (ServingError, Busy):
        return False
    return True


def _forget(pid: int) -> None:
    # Keeps the counters of a worker that ended, and removes its gauges of current activity.
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _close(app: Flask | None) -> None:
    if app is not None:
        app.extensions["model_server"].close()
        if app.extensions["spans"] is not None:
            app.extensions["spans"].close()
