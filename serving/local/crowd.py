"""Runs that come together: as soon as there are as many as cores, each gets a thread of its own.

By default TensorFlow splits every operation of every run among all cores. That is quickest for a
run alone; of several at once each waits for the threads of the others, operation by operation. Its
run handler pool takes whole runs instead, the oldest first, and lets one thread do all of a run
(tensorflow/core/framework/run_handler.cc). docs/performance.md says what that brings.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tensorflow.core.protobuf import config_pb2

_SET_TIMER_SLACK = 29
_SLACK_NANOSECONDS = 1_000_000


class Crowd:
    """Counts the runs under way in this process; safe to use from many threads."""

    def __init__(self, cores: int | None = None) -> None:
        """Takes as many cores as this process may use, unless told how many."""
        # One run is no crowd, whatever it runs on.
        self._size = max(2, cores or _usable_cores())
        self._running = 0
        self._has_pool = False
        self._lock = threading.Lock()

    def start_pool(self, run: Callable[[config_pb2.RunOptions], Any]) -> None:
        """Has TensorFlow start the pool's threads, by a run of any graph with the options given.

        They look for work every 250 microseconds, for ever. How late such a timer may be is
        inherited from the thread that starts them (prctl(2), PR_SET_TIMERSLACK): with a millisecond
        an idle server takes 2 to 3 hundredths of a core, without 8 to 14. Where there is no such
        call, on macOS, there is no pool: all runs share all cores.
        """
        with suppress(OSError, AttributeError):
            prctl = ctypes.CDLL(None).prctl
            if prctl(_SET_TIMER_SLACK, ctypes.c_ulong(_SLACK_NANOSECONDS)) == 0:
                run(_options(own_thread=True))
                # 0 stands for what this thread began with.
                prctl(_SET_TIMER_SLACK, ctypes.c_ulong(0))
                self._has_pool = True

    @contextmanager
    def joined(self) -> Iterator[config_pb2.RunOptions]:
        """Counts one more run until the block ends; yields the options that suit it."""
        with self._lock:
            self._running += 1
            crowded = self._running >= self._size
        try:
            yield _options(own_thread=crowded and self._has_pool)
        finally:
            with self._lock:
                self._running -= 1


def _options(*, own_thread: bool) -> config_pb2.RunOptions:
    options = config_pb2.RunOptions()
    options.experimental.use_run_handler_pool = own_thread
    return options


def _usable_cores() -> int:
    """A container may have fewer than its machine; macOS cannot tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
