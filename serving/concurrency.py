"""Limits on concurrent requests: a fair semaphore and a byte budget.

A short queue turns a burst of requests into a short wait for each instead of errors. The semaphore
is fair: the request that has waited longest is next, so no answer takes much longer than the
others. The front end uses a semaphore for photos, the local server for runs of a model.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

GLANCE_SECONDS = 0.1
"""Seconds between two checks of a waiting thread whether its request is cancelled."""


class FairSemaphore:
    """A semaphore that grants permits in the order of arrival. Thread-safe.

    Args:
        count: number of permits.
        max_waiting: how many threads may wait for a permit; further ones are refused.
    """

    def __init__(self, count: int, max_waiting: float = math.inf) -> None:
        self._free = count
        self._max_waiting = max_waiting
        self._queue: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def acquire(
        self, seconds: float | None = None, is_cancelled: Callable[[], bool] | None = None
    ) -> bool:
        """Acquires a permit, and waits for it if none is free.

        Args:
            seconds: longest wait; None waits without a limit.
            is_cancelled: returns whether the permit is no longer wanted; a cancelled thread leaves
                the queue.

        Returns:
            False if the wait times out, the queue is full, or the request is cancelled.
        """
        with self._lock:
            # If a permit is free, no thread waits: `release` serves waiting threads first.
            if self._free:
                self._free -= 1
                return True
            if len(self._queue) >= self._max_waiting:
                return False
            turn = threading.Event()
            self._queue.append(turn)
        if is_cancelled is None:
            # An Event refuses to wait for longer than its clock can count, 290 years.
            longest = None if seconds is None else min(seconds, threading.TIMEOUT_MAX)
            return turn.wait(longest) or self._leave(turn)
        return _wait(turn, seconds, is_cancelled) or self._leave(turn)

    def release(self) -> None:
        """Releases a permit, to the thread that has waited longest if any waits."""
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._free += 1

    def _leave(self, turn: threading.Event) -> bool:
        with self._lock:
            # The permit may have been granted just after the timeout.
            if not turn.is_set():
                self._queue.remove(turn)
            return turn.is_set()


def _wait(turn: threading.Event, seconds: float | None, is_cancelled: Callable[[], bool]) -> bool:
    end = math.inf if seconds is None else time.monotonic() + seconds
    while not turn.wait(max(0.0, min(GLANCE_SECONDS, end - time.monotonic()))):
        if is_cancelled() or time.monotonic() >= end:
            return False
    return True


class ByteBudget:
    """A limit on the bytes that all requests hold together. Thread-safe."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._lock = threading.Lock()

    def take(self, count: int, leave: int = 0) -> bool:
        """Reserves bytes; returns False, and reserves none, if fewer than `leave` stay free."""
        with self._lock:
            if self._free - count < leave:
                return False
            self._free -= count
            return True

    def give_back(self, count: int) -> None:
        """Frees reserved bytes."""
        with self._lock:
            self._free += count
