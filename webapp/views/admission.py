"""Admission control: refuses photo requests that could not be answered in time."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.exceptions import TooManyRequests

from serving.concurrency import FairSemaphore
from webapp.decoding.pool import Place
from webapp.timings import Timings

# Initial estimate of the seconds per picture, over all requests together.
_FIRST_PACE = 0.03
# Seconds, the largest value of `Retry-After`.
_LONGEST_RETRY = 30
# Weight of each answered picture in the moving average of the pace, and the most of one request.
_WEIGHT = 0.05
_MOST_WEIGHT = 0.5
_SENTENCE = "Too many photos at this moment. Please try again."


class Admission:
    """Counts the pictures of all requests and measures how fast they are answered.

    Safe to use from many threads. A request is refused immediately, while its client still has time
    to retry, and takes no resources from admitted requests.

    Args:
        places: Places of the requests that are answered simultaneously, with a queue.
        seconds: Most seconds for a request to wait and be answered.
    """

    def __init__(self, places: FairSemaphore, seconds: float) -> None:
        self._places = places
        self._seconds = seconds
        self._pictures = 0
        self._pace = _FIRST_PACE
        self._lock = threading.Lock()

    @contextmanager
    def admit(self, pictures: int, timings: Timings) -> Iterator[Place]:
        """Hold a place for a request within the block.

        Args:
            pictures: Number of pictures in the request.
            timings: Gets the time of `queue`.

        Yields:
            The place, which a request releases while it waits for a slow picture.

        Raises:
            TooManyRequests: At the recent pace, the earlier pictures take too long.
        """
        started = time.monotonic()
        with_others = self._enter(pictures)
        try:
            with timings.time("queue"):
                self._take_place(pictures, started + self._seconds)
        except TooManyRequests:
            self._count(-pictures)
            raise
        place = _PlaceOfRequest(self, pictures, timings)
        try:
            yield place
        except Exception:
            if not place.was_released:
                self._learn(pictures, started, with_others, failed=True)
            raise
        else:
            if not place.was_released:
                self._learn(pictures, started, with_others)
        finally:
            place.release()

    def take_again(self, pictures: int, seconds: float) -> None:
        """Take the place of a request again, or raise `TooManyRequests`."""
        if not self._places.acquire(seconds):
            self._refuse()
        self._count(pictures)

    def leave(self, pictures: int) -> None:
        """Pass the place of a request to the next request."""
        self._places.release()
        self._count(-pictures)

    def _enter(self, pictures: int) -> int:
        with self._lock:
            if self._pictures and self._pace * (self._pictures + pictures) > self._seconds:
                self._refuse()
            self._pictures += pictures
            return self._pictures

    def _take_place(self, pictures: int, end: float) -> None:
        if not self._places.acquire(end - time.monotonic()):
            self._refuse()
        # Earlier requests took longer than estimated. A request that is alone may always try.
        if self._pictures > pictures and self._pace * pictures > end - time.monotonic():
            self._places.release()
            self._refuse()

    def _refuse(self) -> None:
        seconds = math.ceil(self._pace * self._pictures)
        raise TooManyRequests(_SENTENCE, retry_after=max(1, min(seconds, _LONGEST_RETRY)))

    def _learn(
        self, pictures: int, started: float, with_others: int, *, failed: bool = False
    ) -> None:
        # Little's law: time in the system = time per picture * pictures in the system.
        with self._lock:
            within = (with_others + self._pictures) / 2
            pace = (time.monotonic() - started) / within
            # A fast failure does not measure the pace; a slow failure, such as a timeout, does.
            if not failed or pace > self._pace:
                self._pace += min(_WEIGHT * pictures, _MOST_WEIGHT) * (pace - self._pace)

    def _count(self, pictures: int) -> None:
        with self._lock:
            self._pictures += pictures


class _PlaceOfRequest(Place):
    """The place of one request, used by its thread alone.

    Attributes:
        was_released: Whether the place was released, so that the time does not measure the pace.
    """

    def __init__(self, admission: Admission, pictures: int, timings: Timings) -> None:
        self._admission, self._pictures, self._timings = admission, pictures, timings
        self._held = True
        self.was_released = False

    def release(self) -> None:
        if self._held:
            self._held, self.was_released = False, True
            self._admission.leave(self._pictures)

    def acquire(self, deadline: float) -> None:
        if not self._held:
            with self._timings.time("queue"):
                self._admission.take_again(self._pictures, deadline - time.monotonic())
            self._held = True
