"""A queue for a few resources: the client that has used them least recently gets the next one.

Least attained service (M. Nuyens, A. Wierman: The foreground-background queue, a survey, 2008),
with clients in the place of jobs: the queue need not know how long a job takes, and serves clients
with small jobs before clients with large ones.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Generic, TypeVar

_T = TypeVar("_T")

HALF_LIFE = 20.0
"""Seconds after which the recorded service of a client has halved."""
MOST_CLIENTS = 10_000


class ServiceTimes:
    """Seconds of recent service of each client; safe to use from many threads."""

    def __init__(self, most: int = MOST_CLIENTS) -> None:
        self._most = most
        self._attained: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, client: str) -> float:
        """Return the seconds of a client, halved every `HALF_LIFE`."""
        seconds, since = self._attained.get(client, (0.0, 0.0))
        return seconds * 0.5 ** ((time.monotonic() - since) / HALF_LIFE) if seconds else 0.0

    def add(self, client: str, seconds: float) -> None:
        """Add service; with too many clients, forget the client that was served longest ago."""
        with self._lock:
            self._attained[client] = (self.of(client) + seconds, time.monotonic())
            self._attained.move_to_end(client)
            if len(self._attained) > self._most:
                self._attained.popitem(last=False)


class QueueFull(Exception):
    """The queue is full of requests whose clients have had less service."""


class FairQueue(Generic[_T]):
    """Resources that are lent, one to a request, and the queue of requests that wait for one.

    Args:
        resources: The free resources; the one used last is lent first.
        service: The service that each client has had.
        longest: Most requests that may wait; beyond, the client with most service is refused.
    """

    def __init__(self, resources: list[_T], service: ServiceTimes, longest: int) -> None:
        self._free = resources
        self._service = service
        self._longest = longest
        self._queue: list[_Waiting[_T]] = []
        self._lock = threading.Lock()

    def acquire(self, client: str, seconds: float) -> _T:
        """Wait for a resource.

        Raises:
            TimeoutError: No resource became free in time.
            QueueFull: Too many requests wait whose clients have had less service.
        """
        with self._lock:
            # While a resource is free, no request waits.
            if self._free:
                return self._free.pop()
            waiting = _Waiting[_T](client)
            self._queue.append(waiting)
            if len(self._queue) > self._longest:
                # Among clients with equal service, the latest request is refused.
                most = max(reversed(self._queue), key=self._service_of)
                self._queue.remove(most)
                most.turn.set()
        waiting.turn.wait(min(max(0.0, seconds), threading.TIMEOUT_MAX))
        return self._leave(waiting)

    def release(self, resource: _T) -> None:
        """Lend the resource to the next request, or mark it free."""
        with self._lock:
            if not self._queue:
                self._free.append(resource)
                return
            least = min(self._queue, key=self._service_of)
            self._queue.remove(least)
            least.lent = resource
            least.turn.set()

    def _leave(self, waiting: _Waiting[_T]) -> _T:
        with self._lock:
            # A resource may have been lent just after the timeout.
            if waiting.lent is not None:
                return waiting.lent
            if waiting.turn.is_set():
                raise QueueFull
            self._queue.remove(waiting)
            raise TimeoutError

    def _service_of(self, waiting: _Waiting[_T]) -> float:
        return self._service.of(waiting.client)


class _Waiting(Generic[_T]):
    def __init__(self, client: str) -> None:
        self.client = client
        self.turn = threading.Event()
        self.lent: _T | None = None
