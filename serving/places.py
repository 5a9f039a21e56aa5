"""Places for requests: some are answered at once, others wait in line.

A short queue is what makes a burst of phones a short wait for each and not an error. It is a fair
one: who has waited longest is next, so nobody's answer takes much longer than the others'. Both
tiers have one: the front end for photos, the local server for runs of a model.
"""

from __future__ import annotations

import math
import threading
from collections import deque


class Places:
    """A number of places and a line before them; safe to use from many threads.

    Args:
        count: how many places there are.
        longest_line: how many may wait for one; who comes then is refused.
    """

    def __init__(self, count: int, longest_line: float = math.inf) -> None:
        self._free = count
        self._longest = longest_line
        self._line: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def take(self, seconds: float | None = None) -> bool:
        """Waits for a place, for ever or for some seconds.

        Returns:
            False where none came, or the line is full.
        """
        with self._lock:
            # Where one is free nobody waits: a place that is given back goes to the line first.
            if self._free:
                self._free -= 1
                return True
            if len(self._line) >= self._longest:
                return False
            turn = threading.Event()
            self._line.append(turn)
        # An Event refuses to wait for longer than its clock can count, 290 years.
        longest = None if seconds is None else min(seconds, threading.TIMEOUT_MAX)
        return turn.wait(longest) or self._leave(turn)

    def give_back(self) -> None:
        """Leaves a place to who has waited longest."""
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
