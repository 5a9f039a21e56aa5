"""`python -m serving`: reads the flags and runs the model server until a signal stops it."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from importlib import metadata
from types import FrameType
from typing import NoReturn

from serving.local.errors import StatusError, invalid_argument
from serving.local.ports import require_free
from serving.local.runtime import environment
from serving.local.settings import Settings, help_text, parse

log = logging.getLogger("serving")

REPLIES_AS = "2.17.1"
"""The release of TensorFlow Serving whose replies were recorded."""

REFUSED = 255
"""Exit status of a failed start, the same as the original's (recorded cases 812 to 821)."""

DEAD = 70
"""Exit status of a server that lost one of its threads, `EX_SOFTWARE`."""


def main(arguments: Sequence[str]) -> int:
    """Serves until SIGTERM or SIGINT; the exit status is 0, or 255 if the start failed."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    if {"--help", "-h", "--version"} & set(arguments):
        sys.stdout.write((_version() if "--version" in arguments else help_text()) + "\n")
        return 0
    logging.basicConfig(level=logging.INFO, format="serving: %(message)s", stream=sys.stderr)
    try:
        settings = _settings(arguments)
        require_free(settings)
        # Imported after the signal handlers are set, since a signal may arrive meanwhile.
        from serving.local.lifecycle import config_files

        config_files.check(settings)
    except StatusError as error:
        return _refuse(error)
    return _run(settings)


def _version() -> str:
    """Returns the version text in the original's form, without the slow import of TensorFlow."""
    server = f"us-bills local model server, as TensorFlow ModelServer: {REPLIES_AS}"
    return f"{server}\nTensorFlow Library: {metadata.version('tensorflow')}"


def _refuse(error: Exception) -> int:
    log.error("Failed to start server. Error: %s", error)
    return REFUSED


def _settings(arguments: Sequence[str]) -> Settings:
    settings, unknown = parse(arguments)
    for argument in unknown:
        log.warning("%s is no flag of this server and is ignored; see --help.", argument)
    if not settings.model_config_file and not settings.model_base_path:
        raise invalid_argument("Set --model_config_file or --model_base_path.")
    if settings.port == settings.rest_api_port != 0:
        log.error("No REST: its port, %d, is that of gRPC.", settings.port)
    return settings


def _run(settings: Settings) -> int:
    _allow_many_connections()
    environment.prepare_environment()
    environment.leave_out_python_api()
    with environment.native_stderr_silenced():
        from serving.local.runtime.saved_model import start_runtime
        from serving.local.server import ModelServer

        start_runtime(settings.parallelism)
    try:
        server = ModelServer(settings)
        server.start()
    except (StatusError, OSError, RuntimeError) as error:
        _end(_refuse(error))
    _end_with_the_first_dead_thread()
    _wait_for_signal()
    if not server.stop():
        log.warning("Requests were still running and are given up.")
    _end(0)


def _end_with_the_first_dead_thread() -> None:
    """Ends the process if an exception ends one of the threads that run now.

    Without that thread the server would only look healthy. Its supervisor restarts it.
    """
    essential = set(threading.enumerate())

    def ended(dead: threading.ExceptHookArgs) -> None:
        log.error("A thread ended: %s", dead.thread and dead.thread.name, exc_info=dead.exc_value)
        if dead.thread in essential:
            log.error("The server cannot go on without it and ends.")
            _end(DEAD)

    threading.excepthook = ended


def _allow_many_connections() -> None:
    """Raises the limit of file descriptors to the maximum; each connection holds one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS reports an unlimited maximum but refuses to set it.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Ends the process on a signal during the start, when no request has to be finished."""
    _end(0)


def _end(status: int) -> NoReturn:
    """Ends the process immediately; a normal interpreter exit would wait for all threads."""
    logging.shutdown()
    os._exit(status)


def _wait_for_signal() -> None:
    """Waits for the byte that a signal writes; a lock would miss a signal just before the wait."""
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    woken.recv(1)
    # A second signal, while the server stops, has no effect.
    signal.set_wakeup_fd(-1)
