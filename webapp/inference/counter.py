"""The counter: a second model, asked beside the first about all bills of a photo.

Nothing depends on it. Where it is missing, late or gives nonsense, photos are answered as they are
without it, and the reply says why nothing was counted.
"""

import logging
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from serving.client import (
    Client,
    DeadlineExceeded,
    NotServed,
    PendingPrediction,
    ServingError,
    Unavailable,
)
from webapp.inference.bills import CountedPhoto, read_counts
from webapp.settings import Settings

_log = logging.getLogger("webapp")

MOST_PICTURES = 16
"""Pictures that the counter takes at once."""
PAUSE = 2.0
"""Seconds for which it is not asked again after a failure, so that a counter that hangs holds up
few photos and one that is missing costs nothing."""
CHECK_SECONDS = 1.0


class Uncounted(StrEnum):
    """Why the bills of a request were not counted."""

    NOT_ASKED = "not_asked"
    SWITCHED_OFF = "switched_off"
    NOT_SERVED = "not_served"
    UNAVAILABLE = "unavailable"
    LATE = "late"
    BAD_ANSWER = "bad_answer"


class CountResponse(NamedTuple):
    """What came of the counter for one request.

    Attributes:
        reason: None where the bills were counted.
        photos: One for each picture; none where they were not counted.
        model: `name`, `version` (None where the protocol does not tell) and `label`.
    """

    reason: Uncounted | None
    photos: Sequence[CountedPhoto] = ()
    model: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The member `count` of a reply."""
        if self.reason is not None:
            return {"available": False, "reason": self.reason}
        return {"available": True, **(self.model or {})}


class Counting:
    """A request to the counter that is under way, or one that was not sent for a reason."""

    def __init__(
        self,
        counter: "Counter",
        calls: Sequence[PendingPrediction],
        sizes: Sequence[tuple[int, int]],
        reason: Uncounted | None = None,
    ) -> None:
        self._counter, self._calls, self._sizes = counter, calls, sizes
        self._reason = reason

    def result(self) -> CountResponse:
        """Wait for the answer, no longer than the counter's time."""
        if self._reason is not None:
            return CountResponse(self._reason)
        try:
            photos, version = [], None
            for n, call in enumerate(self._calls):
                prediction = call.result()
                version = prediction.version
                sizes = self._sizes[n * MOST_PICTURES : (n + 1) * MOST_PICTURES]
                photos += read_counts(prediction.outputs, sizes)
        except ServingError as error:
            self.cancel()
            return CountResponse(self._counter.fail(error))
        return CountResponse(None, photos, {**self._counter.asked, "version": version})

    def cancel(self) -> None:
        """Give the request up: nobody waits for its answer."""
        for call in self._calls:
            call.cancel()


class Counter:
    """Asks one model how many bills of which value photos show; safe to use from many threads."""

    def __init__(self, settings: Settings, model_server: Client) -> None:
        self._settings = settings
        self._model_server = model_server
        label = settings.model_label or None
        self.asked: dict[str, Any] = {"name": settings.counter, "version": None, "label": label}
        self._resting: tuple[float, Uncounted] = (0.0, Uncounted.UNAVAILABLE)

    def begin(
        self, squares: np.ndarray, sizes: Sequence[tuple[int, int]], deadline: float
    ) -> Counting:
        """Ask about photos without waiting for the answer.

        Args:
            squares: uint8 `[N, 448, 448, 3]`, as `letterboxed` makes them.
            sizes: Width and height of the N upright photos.
            deadline: When the request must be answered, on the clock of `time.monotonic`; the
                counter's own time may be over before.
        """
        now = time.monotonic()
        until, reason = self._resting
        if now < until:
            return Counting(self, (), (), reason)
        seconds = min(self._settings.counter_timeout, deadline - now)
        if seconds <= 0:
            return Counting(self, (), (), Uncounted.LATE)
        parts = [squares[n : n + MOST_PICTURES] for n in range(0, len(squares), MOST_PICTURES)]
        return Counting(self, [self._begin(part, seconds) for part in parts], sizes)

    def fail(self, error: ServingError) -> Uncounted:
        """Note a failure, and let the counter rest."""
        reason = _reason(error)
        # Once for each pause at most: one line a request would hide all others.
        if time.monotonic() >= self._resting[0]:
            _log.warning("bills are not counted: %s: %s", type(error).__name__, error)
        self._resting = (time.monotonic() + PAUSE, reason)
        return reason

    def check(self) -> CountResponse:
        """Tell whether the counter would be asked with success now; it is not run."""
        try:
            name, label = self._settings.counter, self.asked["label"]
            self._model_server.signatures(name, label=label, timeout=CHECK_SECONDS)
        except ServingError as error:
            return CountResponse(_reason(error))
        return CountResponse(None, (), {"name": name, "label": label})

    def _begin(self, squares: np.ndarray, seconds: float) -> PendingPrediction:
        return self._model_server.begin_predict(
            self._settings.counter,
            {"image": squares},
            label=self.asked["label"],
            timeout=seconds,
        )


def _reason(error: ServingError) -> Uncounted:
    if isinstance(error, NotServed):
        return Uncounted.NOT_SERVED
    if isinstance(error, Unavailable):
        return Uncounted.UNAVAILABLE
    return Uncounted.LATE if isinstance(error, DeadlineExceeded) else Uncounted.BAD_ANSWER
