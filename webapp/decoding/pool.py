"""The decoding processes of a front end: two for quick pictures, and one for slow ones.

A picture is slow if the estimate of `webapp.imaging.cost` says so, or if it exceeds the processor
time of a quick one. Slow pictures are decoded one at a time by a process of lower priority, so they
take neither memory nor processor time from quick ones. In both queues the client with the least
recent decoding time is next (`webapp.decoding.fair_queue`).
"""

from __future__ import annotations

import atexit
import re
import time
from dataclasses import dataclass

from webapp.decoding.fair_queue import FairQueue, QueueFull, ServiceTimes
from webapp.decoding.messages import DecodedPhoto, ExceedsLimits
from webapp.decoding.process import Busy, DecodeOptions, DecodeProcess, Limits, TooSlow
from webapp.imaging.errors import TooCostly
from webapp.timings import Timings

__all__ = [
    "SLOWEST",
    "Busy",
    "DecodeOptions",
    "DecodePool",
    "Place",
    "Requester",
    "TooSlow",
    "decoders",
]

SLOWEST = 5.0
"""Seconds of wall-clock time for decoding one picture, all attempts together."""

# A WebP of 50 megapixels reserves 0.4 GB before its size is known, and takes 0.9 GB.
QUICK = Limits(memory=700_000_000, niceness=0, most_estimated=0.15, most_seconds=0.6)
# Wall-clock time bounds slow pictures: HEIC uses processor time in several threads simultaneously.
SLOW = Limits(memory=1_200_000_000, niceness=10, most_estimated=6.0, most_seconds=4 * SLOWEST)
_QUICK_COUNT, _LONGEST_QUICK = 2, 256
# A full queue of the slowest accepted pictures is decoded before its last request is too late.
_SLOW_COUNT, _LONGEST_SLOW = 1, 16
# The remainder of 1.0 after a minute, see HALF_LIFE.
_FORGOTTEN = 0.125
_START_SECONDS = 2.0
_ONE_PIXEL = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"
# Only bytes that a sender cannot vary: the bytes after these, or before `ftyp`, are sizes.
_FORMATS = re.compile(
    rb"(?P<JPEG>\xff\xd8)|(?P<PNG>\x89PNG)|(?P<GIF>GIF8)|(?P<BMP>BM)|(?P<TIFF>II|MM)|(?P<WEBP>RIFF)"
    rb"|(?P<AVIF>.{4}ftypavi)|(?P<HEIF>.{4}ftyp)",
    re.DOTALL,
)


class Place:
    """A place of a request among those answered simultaneously; this default is always free."""

    def release(self) -> None:
        """Release the place, if it is held."""

    def acquire(self, deadline: float) -> None:
        """Take the place again, if it was released.

        Args:
            deadline: When to stop waiting, on the clock of `time.monotonic`.
        """


@dataclass(frozen=True)
class Requester:
    """The client that sent a picture.

    Attributes:
        name: Its address or network; all clients without one count as one client.
        place: Held while the client's pictures are quick, released while one is slow.
    """

    name: str = ""
    place: Place = Place()  # noqa: RUF009


class DecodePool:
    """A few processes, each decoding one picture at a time; safe to use from many threads."""

    def __init__(self) -> None:
        self._service = ServiceTimes()
        self._overruns = ServiceTimes()
        self._quick = [DecodeProcess(QUICK) for _ in range(_QUICK_COUNT)]
        self._slow = [DecodeProcess(SLOW) for _ in range(_SLOW_COUNT)]
        self._quick_queue = FairQueue(list(self._quick), self._service, _LONGEST_QUICK)
        self._slow_queue = FairQueue(list(self._slow), self._service, _LONGEST_SLOW)
        self._has_decoded = False

    def start(self) -> None:
        """Start the quick processes now, so that the first picture need not wait for them."""
        for process in self._quick:
            process.start()

    def check_ready(self) -> None:
        """Decode a picture of one pixel, unless one was decoded before.

        Raises:
            Busy: The processes are still starting, or cannot be started.
        """
        if self._has_decoded:
            return
        try:
            self.decode(_ONE_PIXEL, DecodeOptions(), time.monotonic() + _START_SECONDS, Timings())
        except TooSlow as error:
            raise Busy("The process that reads pictures does not answer yet.") from error
        self._has_decoded = True

    def pids(self) -> list[int]:
        """Return the process ids of the running processes."""
        return [each.pid for each in (*self._quick, *self._slow) if each.pid]

    def decode(
        self,
        data: bytes,
        wanted: DecodeOptions,
        deadline: float,
        timings: Timings,
        client: Requester = Requester(),
    ) -> DecodedPhoto:
        """Decode one picture for the classifier, with the additional outputs in `wanted`.

        Args:
            data: A whole file.
            wanted: A small copy for people, a tensor for the counter.
            deadline: On the clock of `time.monotonic`.
            timings: Gets the times of `queue`, `decode` and `preprocess`.
            client: The sender of the picture.

        Raises:
            Exception: Any error that `acquire` of the client's place raises.
            BadImage: The file is not a picture, or it crashed its decoder.
            Busy: No process became free in time.
            TooSlow: The deadline has passed, or decoding took more than `SLOWEST` seconds and its
                process was killed.
        """
        task = _Task(data, wanted, deadline, timings, client, time_left=SLOWEST)
        # Outside of the `try`: a picture whose decoding never began is not an overrun of its kind.
        task.require_time()
        if self._overruns.of(task.kind) < _FORGOTTEN:
            client.place.acquire(deadline)
            try:
                return self._decode(self._quick_queue, task)
            except ExceedsLimits:
                pass
            except TooSlow:
                self._overruns.add(task.kind, 1.0)
        task.require_time()
        client.place.release()
        try:
            return self._decode(self._slow_queue, task)
        except ExceedsLimits:
            raise TooCostly(
                "Decoding the picture would take too long or too much memory."
            ) from None

    def close(self) -> None:
        """End the processes."""
        for process in (*self._quick, *self._slow):
            process.end()

    def _decode(self, queue: FairQueue[DecodeProcess], task: _Task) -> DecodedPhoto:
        with task.timings.time("queue"):
            process = _acquire(queue, task)
        started = time.monotonic()
        seconds = task.time_left
        if queue is self._slow_queue:
            # A late picture would block the queue for longer than a new process takes to start.
            seconds = min(seconds, task.deadline - started)
        try:
            with task.timings.time("decode"):
                decoded = process.decode(task.data, task.wanted, task.deadline, seconds)
        finally:
            task.time_left -= time.monotonic() - started
            self._service.add(task.client.name, time.monotonic() - started)
            if process.pid is None:
                process.start()
            queue.release(process)
        task.timings.move("decode", "preprocess", decoded.preprocessing)
        return decoded


@dataclass
class _Task:
    data: bytes
    wanted: DecodeOptions
    deadline: float
    timings: Timings
    client: Requester
    time_left: float

    @property
    def kind(self) -> str:
        """The client and the format; an overrun counts only against the same pair."""
        start = _FORMATS.match(self.data)
        return f"{self.client.name} {start.lastgroup if start else ''}"

    def require_time(self) -> None:
        """Raise `TooSlow` if no time is left: earlier pictures may have used all of it."""
        if time.monotonic() >= self.deadline or self.time_left <= 0:
            raise TooSlow("The time was over before the picture could be read.")


def _acquire(queue: FairQueue[DecodeProcess], task: _Task) -> DecodeProcess:
    try:
        return queue.acquire(task.client.name, task.deadline - time.monotonic())
    except (TimeoutError, QueueFull):
        raise Busy("Too many pictures are being read at this moment.") from None


decoders = DecodePool()
"""The decoding processes of this process, shared by all its applications."""

atexit.register(decoders.close)
