"""The front end behind gunicorn: threads, since the tier waits for the network most of the time."""

import json
import os
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time
import uuid
from typing import Any

from flask import Flask
from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from serving.client import ServingError
from webapp.allocator import return_large_blocks
from webapp.decoders import decoders
from webapp.health import check_ready
from webapp.settings import COUNTS_FOLDER, Settings
from webapp.worker import worker_class


class Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn with our settings; `run()` serves until told to stop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Hand our settings to gunicorn; called by its constructor."""
        options = {
            "bind": join(self.settings.host, self.settings.web_port),
            "worker_class": worker_class(self.settings),
            "workers": self.settings.workers,
            "threads": self.settings.threads,
            "graceful_timeout": int(self.settings.timeout) + 5,
            "loglevel": "warning",
            "post_worker_init": lambda worker: _prepare(worker, self.settings),
            "child_exit": lambda _arbiter, worker: _forget(worker.pid),
            "worker_exit": lambda _arbiter, worker: _close(getattr(worker, "wsgi", None)),
            "on_exit": lambda _arbiter: shutil.rmtree(
                os.environ[COUNTS_FOLDER], ignore_errors=True
            ),
            # By itself it believes peers on this machine. A client of a proxy there could then send
            # SCRIPT_NAME, or X-Forwarded headers that contradict each other, and its request would
            # fail. `US_BILLS_PROXIES` alone decides.
            "forwarded_allow_ips": "",
            # Gunicorn 25 and later would open a control socket in the home directory.
            "control_socket_disable": True,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the application; called in the worker, after the fork."""
        # Imported no earlier: prometheus_client looks for its shared folder as it is imported.
        from webapp.app import create_app

        return create_app(self.settings)

    def run(self) -> None:
        """Serve, with a folder where the processes share their counts."""
        os.environ[COUNTS_FOLDER] = tempfile.mkdtemp(prefix="us-bills-counts-")
        # Called for what never becomes a request of Flask's: no HTTP, or too long a header.
        util.write_error = _write_problem
        super().run()


def join(host: str, port: int) -> str:
    """Host and port as one address; IPv6 wants brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _write_problem(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:
    # Imported no earlier, as above.
    from webapp.headers import HEADERS
    from webapp.observe import ID_HEADER
    from webapp.problems import CONTENT_TYPE, describe

    body = json.dumps(describe(status_int, mesg or reason)).encode()
    headers = HEADERS | {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body))}
    headers |= {"Connection": "close", "Cache-Control": "no-store", ID_HEADER: uuid.uuid4().hex}
    lines = [f"HTTP/1.1 {status_int} {reason}", *(f"{k}: {v}" for k, v in headers.items())]
    util.write_nonblock(sock, "\r\n".join([*lines, "", ""]).encode("latin-1") + body)


def _prepare(worker: Any, settings: Settings) -> None:
    # Gunicorn's threads would wait for ever for the rest of a request, or for a reader of the
    # reply. Connections inherit this from the socket that accepts them; without it a few lost
    # phones would take every thread.
    seconds = int(settings.silence)
    silence = struct.pack("ll", seconds, int(1e6 * (settings.silence - seconds)))
    for listener in worker.sockets:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, silence)
    _in_background(worker.arriving.enforce)
    _in_background(worker.wsgi.extensions["metrics"].past.keep)
    decoders.start()
    return_large_blocks()
    # One of several workers speaks for all.
    if worker.age == 1:
        _in_background(_announce, worker.wsgi, settings)


def _in_background(target: Any, *arguments: Any) -> None:
    threading.Thread(target=target, args=arguments, daemon=True).start()


def _announce(app: Flask, settings: Settings) -> None:
    while not _ready(app):
        time.sleep(0.5)
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
    host = everywhere.get(settings.host, settings.host)
    # One write: a log line of another thread must not come between the text and its line break.
    sys.stdout.write(f"us-bills is ready: open http://{join(host, settings.web_port)}\n")
    sys.stdout.flush()


def _ready(app: Flask) -> bool:
    try:
        check_ready(app)
    except ServingError:
        return False
    return True


def _forget(pid: int) -> None:
    # What a worker counted stays; what it was doing when it ended does not.
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _close(app: Flask | None) -> None:
    if app is not None:
        app.extensions["model_server"].close()
