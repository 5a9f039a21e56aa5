"""`python -m serving`: from flags to a running server, and back to silence."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from serving.local import quiet
from serving.local.ports import PortError, require_free
from serving.local.settings import FlagError, Settings, help_text, parse

log = logging.getLogger("serving")

REFUSED = 255
"""Exit status of a start that cannot succeed, as the original's (recorded cases 812 to 821)."""


def main(arguments: Sequence[str]) -> int:
    """Serves until SIGTERM or SIGINT.

    Returns:
        The exit status: 0 after a stop that was asked for, 255 where the start was refused.
    """
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(help_text() + "\n")
        return 0
    logging.basicConfig(level=logging.INFO, format="serving: %(message)s", stream=sys.stderr)
    try:
        settings = _settings(arguments)
        require_free(settings)
    except (FlagError, PortError) as error:
        log.error("%s", error)
        return REFUSED
    return _run(settings)


def _settings(arguments: Sequence[str]) -> Settings:
    settings, unknown = parse(arguments)
    for argument in unknown:
        log.warning("Unknown flag %s is ignored; --help lists those that are known.", argument)
    if not settings.model_config_file and not settings.model_base_path:
        raise FlagError("Nothing to serve: set --model_config_file or --model_base_path.")
    return settings


def _run(settings: Settings) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    quiet.prepare_environment()
    with quiet.native_stderr_silenced():
        from serving.local.server import ModelServer, start_runtime

        start_runtime()
    from serving.local.errors import StatusError

    server = ModelServer(settings)
    try:
        server.start()
    except (StatusError, OSError, RuntimeError) as error:
        log.error("%s", getattr(error, "message", error))
        return REFUSED
    _wait_for_signal()
    if not server.stop():
        log.warning("Requests were still running and are given up.")
        # The interpreter would wait for their threads.
        os._exit(0)
    return 0


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """While starting there is nothing to finish."""
    sys.exit(0)


def _wait_for_signal() -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    stopping.wait()
