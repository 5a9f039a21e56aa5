"""Sends copies of requests to a version on trial; its answers are compared and never shown.

Copies wait in a short queue for one thread. If the canary is slower than requests arrive, further
copies are dropped and counted, so no request waits and memory stays small.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from serving.client import ServingError
from webapp.inference.model import Model, PhotoBatch, PredictionRequest, PredictionResponse

_log = logging.getLogger("webapp")

WAITING = 8
"""Copies that may wait: 150 kB for each photo, up to `US_BILLS_MAX_PICTURES` photos each."""


class _Copy(NamedTuple):
    batch: PhotoBatch
    query: PredictionRequest
    version: int
    answer: PredictionResponse


class Shadow:
    """Sends copies to a version on trial, one after the other."""

    def __init__(self, model: Model, count: Callable[[int, str], None]) -> None:
        self._model = model
        self._count = count
        self._waiting: queue.Queue[_Copy] = queue.Queue(WAITING)
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def send(
        self, batch: PhotoBatch, query: PredictionRequest, version: int, answer: PredictionResponse
    ) -> None:
        """Queue a copy of an answered request, or drop it; never wait."""
        self._ensure_thread()
        try:
            self._waiting.put_nowait(_Copy(batch, query, version, answer))
        except queue.Full:
            self._count(version, "dropped")

    def _ensure_thread(self) -> None:
        # Started with the first copy, not earlier: most of the time there is no trial.
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            copy = self._waiting.get()
            try:
                self._count(copy.version, self._compare(copy))
            except Exception:
                _log.exception("a copy of a request could not be compared")

    def _compare(self, copy: _Copy) -> str:
        deadline = time.monotonic() + self._model.settings.timeout
        try:
            answer = self._model.ask_canary(
                copy.batch, copy.query, copy.version, deadline, "shadow"
            )
        except ServingError:
            return "failed"
        return "same" if _said(answer) == _said(copy.answer) else "different"


def _said(answer: PredictionResponse) -> list[Any]:
    """Return the answered classes; probabilities of two versions are never equal."""
    return [prediction["denomination"] for prediction in answer.predictions]
