"""The front end's handle of one decoding process: starts it, uses it, kills it when too slow."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from webapp.decoding.messages import (
    BrokenReply,
    DecodedPhoto,
    Request,
    receive_photo,
    receive_ready,
    send_request,
)
from webapp.imaging.errors import DamagedImage

_log = logging.getLogger("webapp")

_COMMAND = "import sys; from webapp.decoding.worker import serve; serve(*map(int, sys.argv[1:]))"
# A decoding process ends with the thread that started it (prctl(2), PR_SET_PDEATHSIG), so this
# thread, which outlives every request, starts all of them.
_starter = ThreadPoolExecutor(1, "decoders")
# The environment variables that the process needs; the front end's secrets are not among them.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "LANG", "LC_ALL", "PYTHONHOME", "VIRTUAL_ENV")


class Busy(Exception):
    """No decoding process could take the picture in time."""


class TooSlow(Exception):
    """A picture was not decoded in time."""


class DecodeOptions(NamedTuple):
    """The outputs to make of a picture in addition to the classifier's tensor.

    Attributes:
        side: Longest side in pixels of a small copy for people; 0 for none.
        for_counter: Whether to make the counter's tensor too.
    """

    side: int = 0
    for_counter: bool = False


@dataclass(frozen=True)
class Limits:
    """The limits of one process.

    Attributes:
        memory: Most bytes of data that the process may allocate.
        niceness: How much to lower its priority, see nice(2).
        most_estimated: Most seconds of processor time that a picture's estimate may give.
        most_seconds: Seconds of processor time for a picture after which the process is killed.
    """

    memory: int
    niceness: int
    most_estimated: float
    most_seconds: float


class DecodeProcess:
    """A process that decodes one picture at a time, used by one thread at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._ready = False

    def start(self) -> None:
        """Start the process unless it runs, without waiting for it."""
        _starter.submit(self._start)

    def decode(
        self, data: bytes, wanted: DecodeOptions, deadline: float, seconds: float
    ) -> DecodedPhoto:
        """Decode one picture.

        Args:
            data: A whole file.
            wanted: The outputs to make in addition to the model's tensor.
            deadline: When the process must have started, on the clock of `time.monotonic`.
            seconds: Most seconds of wall-clock time for the picture.

        Raises:
            BadImage, ExceedsLimits: The error that the process reports.
            DamagedImage: The picture has crashed the process.
            TooSlow: Decoding took too long, and the process was killed.
            Busy: The process is still starting, or cannot be started.
        """
        until = None
        for last in (False, True):
            connection = self._wait_until_ready(deadline)
            until = until or time.monotonic() + seconds
            try:
                return self._ask(connection, data, wanted, until)
            # TimeoutError is an OSError too.
            except (EOFError, OSError, BrokenReply) as error:
                self._explain(error, last)
        raise AssertionError("unreachable")

    def end(self) -> None:
        """Kill the process."""
        if self._connection:
            self._connection.close()
        if self._process:
            with suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
        self._process = self._connection = None
        self._ready = False

    @property
    def pid(self) -> int | None:
        """The process id; None while no process exists."""
        return self._process.pid if self._process else None

    def _ask(
        self, connection: socket.socket, data: bytes, wanted: DecodeOptions, until: float
    ) -> DecodedPhoto:
        connection.settimeout(max(0.001, until - time.monotonic()))
        bounds = (self._limits.most_estimated, self._limits.most_seconds)
        send_request(connection, Request(data, wanted.side, *bounds, wanted.for_counter))
        photo = receive_photo(connection, until)
        if (photo.square is not None) != wanted.for_counter:
            raise BrokenReply("a picture that was asked for in another form")
        return photo

    def _explain(self, error: Exception, last: bool) -> None:
        """Kill the process, and raise the error to report; return if a retry is allowed."""
        status = self._status() if isinstance(error, EOFError | ConnectionError) else 0
        self.end()
        if isinstance(error, TimeoutError) or status == -signal.SIGPROF:
            raise TooSlow("Decoding the picture took too long.") from error
        # A picture cannot cause SIGKILL: something else killed the process, so retry once.
        if status != -signal.SIGKILL or last:
            raise DamagedImage("The picture is damaged: its decoder broke down over it.") from error

    def _status(self) -> int:
        # A process that a hostile picture controls may close its end and keep running.
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(1) if self._process else 0
        return 0

    def _running(self) -> socket.socket | None:
        runs = self._process is not None and self._process.poll() is None
        return self._connection if runs else None

    def _start(self) -> socket.socket:
        if connection := self._running():
            return connection
        self.end()
        # `end` closes the connection, even if no process can be started.
        self._connection, theirs = socket.socketpair()
        with theirs:
            numbers = (theirs.fileno(), self._limits.memory, self._limits.niceness)
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", _COMMAND, *map(str, numbers)],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        return self._connection

    def _wait_until_ready(self, deadline: float) -> socket.socket:
        try:
            connection = self._running() or _starter.submit(self._start).result()
        # The machine has run out of processes, memory or file descriptors.
        except OSError as error:
            raise Busy("The process that reads pictures could not be started.") from error
        # A slow start is not the picture's fault: on a slow machine the process may finish starting
        # after the request has failed, and is then ready for the next request.
        if not self._ready:
            try:
                lacking = receive_ready(connection, deadline)
            except TimeoutError:
                raise Busy("The process that reads pictures is still starting.") from None
            except (EOFError, OSError, BrokenReply) as error:
                self.end()
                raise Busy("The process that reads pictures could not be started.") from error
            if lacking:
                _log.warning("decoding without a filter of system calls: %s", lacking)
            self._ready = True
        return connection


def _environment() -> dict[str, str]:
    """Return an environment with the same packages and, to save memory, few threads and arenas."""
    path = os.pathsep.join(filter(None, sys.path))
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
