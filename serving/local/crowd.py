"""Runs that come together: as soon as there are as many as cores, each gets a thread of its own.

By default TensorFlow splits every operation of every run among all cores. That is quickest for a
run alone; of several at once each waits for the threads of the others, operation by operation. Its
run handler pool takes whole runs instead, the oldest first, and lets one thread do all of a run
(tensorflow/core/framework/run_handler.cc). docs/performance.md says what that brings.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from tensorflow.core.protobuf import config_pb2

from serving.local.cores import usable_cores

_SET_TIMER_SLACK = 29
_SLACK_NANOSECONDS = 1_000_000


class Parallelism(NamedTuple):
    """Threads inside one operation, and operations at once; 0 for as many as there are cores."""

    intra_op: int = 0
    inter_op: int = 0

    def config(self) -> config_pb2.ConfigProto:
        """Settings of a session. Threads are the process's: its first session's settings count."""
        return config_pb2.ConfigProto(
            intra_op_parallelism_threads=self.intra_op,
            inter_op_parallelism_threads=self.inter_op,
        )

    def pool_config(self) -> config_pb2.ConfigProto:
        """Settings of the session that starts the run handler pool: twice as many threads as cores.

        A few operations of a run are shared out after all, and its thread then sleeps until others
        have done their shares; with one thread a core, that core did nothing in the meantime.
        """
        config = self.config()
        threads = 2 * (self.inter_op or usable_cores())
        config.session_inter_op_thread_pool.add(num_threads=threads)
        # Those that only help out. All others do so too where they have no run of their own.
        config.intra_op_parallelism_threads = 1
        return config


DEFAULT_PARALLELISM = Parallelism()


class Crowd:
    """Counts the runs under way in this process; safe to use from many threads."""

    def __init__(self, cores: int | None = None) -> None:
        """Takes as many cores as this process may use, unless told how many."""
        # One run is no crowd, whatever it runs on.
        self._size = max(2, cores or usable_cores())
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
