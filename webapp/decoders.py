"""The decoding processes of a front end, started when needed, ended by a picture too slow."""

import atexit
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from webapp.bad_image import BadImage, DamagedImage
from webapp.decoder import Seen
from webapp.stages import Stages

COUNT = 2
SLOWEST = 5.0
"""Seconds that one picture may be decoded; 50 megapixels take two to three."""

# One large picture at a time: two would take two gigabytes.
_only_large = threading.Lock()

_COMMAND = "import sys; from webapp.decoder import serve; serve(int(sys.argv[1]))"


class Busy(Exception):
    """The pictures of others are still being decoded, and the time for this one is over."""


class TooSlow(Exception):
    """A picture was not decoded in time."""


class Decoders:
    """A few processes, each decoding one picture at a time; safe to use from many threads."""

    def __init__(self) -> None:
        self._all = [_Process() for _ in range(COUNT)]
        # The one used last is given first: an idle machine keeps one warm, and starts no other.
        self._idle: queue.LifoQueue[_Process] = queue.LifoQueue()
        for process in self._all:
            self._idle.put(process)

    def start(self) -> None:
        """Start the processes now, so that the first picture need not wait for them."""
        for process in self._all:
            process.start()

    def look(self, data: bytes, side: int, deadline: float, stages: Stages) -> Seen:
        """Decode one picture for the model, and for people where `side` is not 0.

        Args:
            data: A whole file.
            side: Longest side in pixels of the small copy; 0 for none.
            deadline: On the clock of `time.monotonic`.
            stages: Gets the times of `queue`, `decode` and `preprocess`.

        Raises:
            BadImage: The file is no picture, or one that its decoder did not survive.
            Busy: No process became free in time.
            TooSlow: The deadline has passed, or decoding took more than `SLOWEST` seconds and its
                process was ended.
        """
        # Of several pictures those before this one may have taken all of the time.
        if time.monotonic() >= deadline:
            raise TooSlow("The time was over before the picture could be read.")
        with stages.time("queue"):
            process = self._take(deadline)
        try:
            with stages.time("decode"):
                seen = process.look(data, side, deadline)
        finally:
            self._idle.put(process)
        stages.move("decode", "preprocess", seen.preprocessing)
        return seen

    def close(self) -> None:
        """End the processes."""
        for process in self._all:
            process.end()

    def _take(self, deadline: float) -> "_Process":
        try:
            return self._idle.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise Busy("Too many pictures are being read at this moment.") from None


class _Process:
    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._ready = False

    def start(self) -> Connection:
        """Start the process unless it runs; returns the connection to it."""
        if self._connection and self._process and self._process.poll() is None:
            return self._connection
        self.end()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", _COMMAND, str(theirs.fileno())],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._connection = Connection(ours.detach())
        return self._connection

    def look(self, data: bytes, side: int, deadline: float) -> Seen:
        for _ in range(2):
            try:
                return self._ask(data, side, deadline)
            # The process has ended: by this picture, or by somebody else before or during it.
            except (EOFError, OSError):
                self.end()
        raise DamagedImage("The picture is damaged: its decoder broke down over it.")

    def _ask(self, data: bytes, side: int, deadline: float) -> Seen:
        connection = self.start()
        self._wait_until_ready(connection, deadline)
        connection.send(side)
        connection.send_bytes(data)
        reply = self._receive(connection)
        return reply if isinstance(reply, Seen) else self._look_at_large(connection, deadline)

    def _look_at_large(self, connection: Connection, deadline: float) -> Seen:
        if not _only_large.acquire(timeout=max(0.0, deadline - time.monotonic())):
            connection.send(False)
            raise Busy("Too many large pictures are being read at this moment.")
        try:
            connection.send(True)
            seen: Seen = self._receive(connection)
        finally:
            _only_large.release()
        return seen

    def _wait_until_ready(self, connection: Connection, deadline: float) -> None:
        # The start is not the picture's fault: on a slow machine the process may finish it after
        # the request has given up, and is there for the next one.
        if not self._ready:
            if not connection.poll(max(0.0, deadline - time.monotonic())):
                raise Busy("The process that reads pictures is still starting.")
            self._ready = connection.recv()

    def _receive(self, connection: Connection) -> Any:
        # Not the request's deadline: with little time left each picture would cost its process,
        # and starting another takes as long as decoding, just when there is least time for it.
        if not connection.poll(SLOWEST):
            self.end()
            raise TooSlow(f"Decoding the picture took more than {SLOWEST:.0f} seconds.")
        reply = connection.recv()
        if isinstance(reply, BadImage):
            raise reply
        return reply

    def end(self) -> None:
        if self._connection:
            self._connection.close()
        if self._process:
            with suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
        self._process = self._connection = None
        self._ready = False


def _environment() -> dict[str, str]:
    """The process finds the same packages; threads and memory pools would only take memory."""
    path = os.pathsep.join(filter(None, sys.path))
    small = {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    return os.environ | small


decoders = Decoders()
"""Those of this process, whatever the number of its applications."""

atexit.register(decoders.close)
