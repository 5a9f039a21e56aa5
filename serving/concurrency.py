"""Limits on concurrent requests: a fair semaphore and a byte budget.

A short queue makes a burst of phones a short wait for each and not an error. It is a fair one: the
request that has waited longest is next, so no answer takes much longer than the others. Both tiers
have one: the front end for photos, the local server for runs of a model.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

GLANCE_SECONDS = 0.1
"""How often a waiting thread asks whether its client is still there."""


class FairSemaphore:
    """A number of places and a line before them; safe to use from many threads.

    Args:
        count: how many places there are.
        longest_line: how many may wait for one; further ones are refused.
    """

    def __init__(self, count: int, longest_line: float = math.inf) -> None:
        self._free = count
        self._longest = longest_line
        self._line: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def acquire(
        self, seconds: float | None = None, is_cancelled: Callable[[], bool] | None = None
    ) -> bool:
        """Waits for a place, for ever or for some seconds.

        Args:
            seconds: how long to wait; None for ever.
            is_cancelled: tells whether the place is no longer wanted; such a request leaves the
                line and never gets one.

        Returns:
            False where none came, the line is full, or the request is cancelled.
        """
        with self._lock:
            # Where one is free none waits: a place that is released goes to the line first.
            if self._free:
                self._free -= 1
                return True
            if len(self._line) >= self._longest:
                return False
            turn = threading.Event()
            self._line.append(turn)
        if is_cancelled is None:
            # An Event refuses to wait for longer than its clock can count, 290 years.
            longest = None if seconds is None else min(seconds, threading.TIMEOUT_MAX)
            return turn.wait(longest) or self._leave(turn)
        return _wait(turn, seconds, is_cancelled) or self._leave(turn)

    def release(self) -> None:
        """Gives the place to the one that has waited longest."""
        with self._lock:
            if self._line:
                self._line.popleft().set()
            else:
                self._free += 1

    def _leave(self, turn: threading.Event) -> bool:
        with self._lock:
            # The turn may have come after all, just behind the time-out.
            if not turn.is_set():
                self._line.remove(turn)
            return turn.is_set()


def _wait(turn: threading.Event, seconds: float | None, is_cancelled: Callable[[], bool]) -> bool:
    end = math.inf if seconds is None else time.monotonic() + seconds
    while not turn.wait(max(0.0, min(GLANCE_SECONDS, end - time.monotonic()))):
        if is_cancelled() or time.monotonic() >= end:
            return False
    return True


class ByteBudget:
    """Bytes that requests may hold together; safe to use from many threads."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._lock = threading.Lock()

    def take(self, count: int, leave: int = 0) -> bool:
        """Reserves bytes; False, and nothing is, where fewer than `leave` would be left."""
        with self._lock:
            if self._free - count < leave:
                return False
            self._free -= count
            return True

    def give_back(self, count: int) -> None:
        """Frees bytes that were reserved."""
        with self._lock:
            self._free += count
