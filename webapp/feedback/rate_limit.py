"""A rate limit for each client. Addresses are kept in memory only, for an hour."""

import threading
import time
from collections import Counter

HOUR = 3600.0
MOST_CLIENTS = 10_000
"""Clients that are counted within an hour; further ones are refused."""


class RateLimit:
    """Counts uses by client and restarts each hour; safe to use from many threads.

    Args:
        most: Uses that one client may have within an hour.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts = Counter[str]()
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def take(self, client: str) -> float:
        """Count one use and return 0; at the limit, return the seconds for the client to wait."""
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

    def give_back(self, client: str) -> None:
        """Take back one counted use, of which nothing came."""
        with self._lock:
            self._counts[client] -= 1
            # If the hour has ended since, a use of the new one is taken back, if there is one.
            if self._counts[client] <= 0:
                del self._counts[client]
