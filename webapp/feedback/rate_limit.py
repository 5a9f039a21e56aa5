"""A bound on how often one client may do something. Addresses stay in memory, for an hour."""

import threading
import time
from collections import Counter

HOUR = 3600.0
MOST_CLIENTS = 10_000
"""Clients that are told apart within an hour; beyond, new ones are refused."""


class RateLimit:
    """Counts by client and starts anew each hour; safe to use from many threads.

    Args:
        most: How often one client may within an hour.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts = Counter[str]()
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def take(self, client: str) -> float:
        """Count one; returns 0, or how many seconds the client has to wait instead."""
        now = time.monotonic()
        with self._lock:
            if now - self._started >= HOUR:
                self._counts.clear()
                self._started = now
            full = len(self._counts) >= MOST_CLIENTS and client not in self._counts
            if full or self._counts[client] >= self._most:
                return self._started + HOUR - now
            self._counts[client] += 1
            return 0.0
