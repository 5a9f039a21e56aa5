"""`python -m webapp`: serve the front end with gunicorn."""

import argparse
import logging
import os
import socket
import struct
import sys
import threading
import time
import warnings
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from serving.client import ServingError
from webapp.app import create_app
from webapp.health import check_ready
from webapp.settings import BadSetting, Settings, describe, variable


class Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn with threads in one worker: the tier waits for the network most of the time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Hand our settings to gunicorn; called by its constructor."""
        options = {
            "bind": _join(self.settings.host, self.settings.web_port),
            "worker_class": "gthread",
            "workers": 1,
            "threads": self.settings.threads,
            "graceful_timeout": int(self.settings.timeout) + 5,
            "loglevel": "warning",
            "post_worker_init": lambda worker: _prepare(worker, self.settings),
            "worker_exit": lambda _arbiter, worker: _close(getattr(worker, "wsgi", None)),
            # Gunicorn 25 and later would open a control socket in the home directory.
            "control_socket_disable": True,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the application; called in the worker, after the fork."""
        return create_app(self.settings)


def main(arguments: list[str] | None = None) -> None:
    """Read the settings, check that the port is free, serve until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m webapp",
        description=__doc__,
        epilog="environment variables, their defaults and meaning:\n" + describe(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # Of odd photos Pillow warns at length; the caller is told, the log need not be.
    warnings.filterwarnings("ignore", module="PIL")
    try:
        settings = Settings.from_env()
        _check_address(settings)
    except BadSetting as error:
        sys.exit(str(error))
    Server(settings).run()


def _check_address(settings: Settings) -> None:
    # Gunicorn itself would try five times, a second apart, and name no variable.
    host, port = settings.host, settings.web_port
    try:
        with socket.create_server((host, port), family=_family(host)):
            return
    except OSError as error:
        raise BadSetting(
            f"Cannot listen on {_join(host, port)} ({os.strerror(error.errno or 0)}). "
            f"Set {variable('web_port')} to a free port, or {variable('host')} to another address."
        ) from error


def _prepare(worker: Any, settings: Settings) -> None:
    # Gunicorn's threads would wait for ever for the rest of a request. Connections inherit this
    # from the socket that accepts them; without it a few lost phones would take every thread.
    seconds = int(settings.silence)
    silence = struct.pack("ll", seconds, int(1e6 * (settings.silence - seconds)))
    for listener in worker.sockets:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, silence)
    _announce_when_ready(worker.wsgi, settings)


def _announce_when_ready(app: Flask, settings: Settings) -> None:
    threading.Thread(target=_announce, args=(app, settings), daemon=True).start()


def _announce(app: Flask, settings: Settings) -> None:
    while not _ready(app):
        time.sleep(0.5)
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
    host = everywhere.get(settings.host, settings.host)
    print(f"us-bills is ready: open http://{_join(host, settings.web_port)}", flush=True)


def _ready(app: Flask) -> bool:
    try:
        check_ready(app)
    except ServingError:
        return False
    return True


def _close(app: Flask | None) -> None:
    if app is not None:
        app.extensions["model_server"].close()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


if __name__ == "__main__":
    main()
