"""`python -m serving`: from flags to a running server, and back to silence."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from importlib import metadata
from types import FrameType
from typing import NoReturn

from serving.local import quiet
from serving.local.errors import StatusError, invalid_argument
from serving.local.ports import PortError, require_free
from serving.local.settings import FlagError, Settings, help_text, parse, remark

log = logging.getLogger("serving")

REPLIES_AS = "2.17.1"
"""The release of TensorFlow Serving whose replies were recorded."""

REFUSED = 255
"""Exit status of a start that cannot succeed, as the original's (recorded cases 812 to 821)."""


def main(arguments: Sequence[str]) -> int:
    """Serves until SIGTERM or SIGINT.

    Returns:
        The exit status: 0 after a stop that was asked for, 255 where the start was refused.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    if {"--help", "-h", "--version"} & set(arguments):
        sys.stdout.write((_version() if "--version" in arguments else help_text()) + "\n")
        return 0
    logging.basicConfig(level=logging.INFO, format="serving: %(message)s", stream=sys.stderr)
    try:
        settings = _settings(arguments)
        require_free(settings)
        # Not sooner: a signal during this import is to find its handler.
        from serving.local import files

        files.check(settings)
    except (FlagError, PortError) as error:
        log.error("%s", error)
        return REFUSED
    except StatusError as error:
        return _refuse(error)
    return _run(settings)


def _version() -> str:
    """In the original's form; what is installed is asked, since TensorFlow takes seconds."""
    server = f"us-bills local model server, as TensorFlow ModelServer: {REPLIES_AS}"
    return f"{server}\nTensorFlow Library: {metadata.version('tensorflow')}"


def _refuse(error: Exception) -> int:
    log.error("Failed to start server. Error: %s", error)
    return REFUSED


def _settings(arguments: Sequence[str]) -> Settings:
    settings, unknown = parse(arguments)
    for argument in unknown:
        log.warning("%s", remark(argument))
    if not settings.model_config_file and not settings.model_base_path:
        raise invalid_argument(
            "Both server_options.model_base_path and server_options.model_config_file are empty! "
            "Set --model_config_file or --model_base_path."
        )
    if settings.port == settings.rest_api_port != 0:
        log.error(
            "server_options.http_port cannot be same as grpc_port. Please use a different port for "
            "HTTP/REST API. Skipped exporting HTTP/REST API."
        )
    return settings


def _run(settings: Settings) -> int:
    _allow_many_connections()
    quiet.prepare_environment()
    quiet.leave_out_python_api()
    with quiet.native_stderr_silenced():
        from serving.local.server import ModelServer, start_runtime

        start_runtime(settings)
    try:
        server = ModelServer(settings)
        server.start()
    except (StatusError, OSError, RuntimeError) as error:
        _end(_refuse(error))
    _wait_for_signal()
    if not server.stop():
        log.warning("Requests were still running and are given up.")
    _end(0)


def _allow_many_connections() -> None:
    """Takes as many file descriptors as the system gives; by habit it begins with 1,024.

    Each connection holds one, and without a free one no version can be loaded.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS says that there is no limit and refuses to be taken by its word.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """While starting there is nothing to finish."""
    _end(0)


def _end(status: int) -> NoReturn:
    """Ends the process at once.

    The interpreter's own end would wait for threads that still answer, and threads that are inside
    TensorFlow would abort it.
    """
    logging.shutdown()
    os._exit(status)


def _wait_for_signal() -> None:
    """Waits for the byte that a signal writes, so that none is missed.

    A lock would do only for a signal that comes while the main thread already waits for it: one
    that comes a moment sooner, or to another thread, would be seen at the next one.
    """
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    woken.recv(1)
    # A second signal while the server stops has nobody to wake.
    signal.set_wakeup_fd(-1)
