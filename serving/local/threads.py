"""The number of usable cores, TensorFlow's thread settings, and thread pools."""

from __future__ import annotations

import functools
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeAlias


class Parallelism(NamedTuple):
    """Threads within an operation, and simultaneous operations; 0 is the number of cores."""

    intra_op: int = 0
    inter_op: int = 0


DEFAULT_PARALLELISM = Parallelism()


def usable_cores() -> int:
    """Returns how many cores this process may use, as TensorFlow counts them (`cpu_info.h`).

    A container may have fewer than its machine; macOS reports only the machine's.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class StartedPool(Executor):
    """A thread pool that starts all its threads at creation, and reuses the last idle one first.

    No thread has to be started later, when the system may allow no more. Python's own pool takes
    the longest idle thread, so each call grows another thread's memory, which is never freed:
    300 MB after 300 photos by gRPC, and as much again by REST.
    """

    def __init__(self, count: int, name: str) -> None:
        """Starts the threads; raises `RuntimeError` if the system allows fewer."""
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[_Work]] = []
        self._backlog: deque[_Work] = deque()
        for number in range(count):
            threading.Thread(target=self._serve, name=f"{name} {number}", daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `concurrent.futures.Executor`."""
        future: Future[Any] = Future()
        work = future, functools.partial(fn, *args, **kwargs)
        with self._lock:
            if self._idle:
                self._idle.pop().put(work)
            else:
                self._backlog.append(work)
        return future

    def _serve(self) -> None:
        inbox: SimpleQueue[_Work] = SimpleQueue()
        while True:
            with self._lock:
                if self._backlog:
                    inbox.put(self._backlog.popleft())
                else:
                    self._idle.append(inbox)
            _run(*inbox.get())


_Work: TypeAlias = tuple[Future[Any], Callable[[], Any]]


def _run(future: Future[Any], call: Callable[[], Any]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)
