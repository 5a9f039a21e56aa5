"""The counter: a second model, asked beside the first about all bills of a photo.

Nothing depends on it. Where it is missing, late or gives nonsense, photos are answered as they are
without it, and the reply says why nothing was counted.
"""

import logging
import time
from collections.abc import Callable, Sequence
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
from webapp.inference.calls import Calls
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


class _Asked(NamedTuple):
    """Which version is asked: one on trial by its number, or the one that has a label."""

    sent_as: str
    version: int | None
    label: str | None


class Unasked(NamedTuple):
    """A request that was not sent to the counter, for a reason."""

    reason: Uncounted

    def result(self) -> CountResponse:
        """The reason."""
        return CountResponse(self.reason)

    def cancel(self) -> None:
        """Nothing is under way."""


class Counting:
    """A request to the counter that is under way."""

    def __init__(
        self,
        counter: "Counter",
        asked: _Asked,
        calls: Sequence[PendingPrediction],
        sizes: Sequence[tuple[int, int]],
        when_failed: Callable[[ServingError], CountResponse],
    ) -> None:
        self._counter, self._asked, self._calls, self._sizes = counter, asked, calls, sizes
        self._when_failed = when_failed

    def result(self) -> CountResponse:
        """Wait for the answer, no longer than the counter's time."""
        photos, version = [], None
        try:
            for n, call in enumerate(self._calls):
                sizes = self._sizes[n * MOST_PICTURES : (n + 1) * MOST_PICTURES]
                counted, version = self._read(call, sizes)
                photos += counted
        except ServingError as error:
            self.cancel()
            return self._when_failed(error)
        label = "canary" if self._asked.sent_as == "canary" else self._asked.label
        model = {"name": self._counter.name, "version": version, "label": label}
        return CountResponse(None, photos, model)

    def cancel(self) -> None:
        """Give the request up: nobody waits for its answer."""
        for call in self._calls:
            call.cancel()

    def _read(
        self, call: PendingPrediction, sizes: Sequence[tuple[int, int]]
    ) -> tuple[list[CountedPhoto], int | None]:
        sent_as, calls = self._asked.sent_as, self._counter.calls
        try:
            prediction = call.result()
            photos = read_counts(prediction.outputs, sizes)
        except ServingError as error:
            calls.failed(sent_as, self._asked.version, error, call.seconds)
            raise
        calls.answered(sent_as, prediction.version, call.seconds)
        return photos, prediction.version


class Counter:
    """Asks one model how many bills of which value photos show; safe to use from many threads."""

    def __init__(
        self, settings: Settings, model_server: Client, calls: Calls | None = None
    ) -> None:
        self.name = settings.counter
        self.calls = calls or Calls()
        self._settings = settings
        self._model_server = model_server
        self._label = settings.model_label or None
        self._resting: tuple[float, Uncounted] = (0.0, Uncounted.UNAVAILABLE)

    def begin(
        self,
        squares: np.ndarray,
        sizes: Sequence[tuple[int, int]],
        deadline: float,
        canary: int | None = None,
    ) -> Counting | Unasked:
        """Ask about photos without waiting for the answer.

        Args:
            squares: uint8 `[N, 448, 448, 3]`, as `letterboxed` makes them.
            sizes: Width and height of the N upright photos.
            deadline: When the request must be answered, on the clock of `time.monotonic`; the
                counter's own time may be over before.
            canary: A version on trial to ask first, by its number and for half of the time; where
                it fails, stable counts.
        """
        deadline = min(deadline, time.monotonic() + self._settings.counter_timeout)
        if canary is None:
            return self._begin_stable(squares, sizes, deadline)

        def stable_instead(error: ServingError) -> CountResponse:
            failed = f"canary version {canary} of {self.name} failed"
            _log.warning("%s, stable counts: %s: %s", failed, type(error).__name__, error)
            return self._begin_stable(squares, sizes, deadline).result()

        half = (deadline - time.monotonic()) / 2
        return self._begin(_Asked("canary", canary, None), squares, sizes, half, stable_instead)

    def _begin_stable(
        self, squares: np.ndarray, sizes: Sequence[tuple[int, int]], deadline: float
    ) -> Counting | Unasked:
        now = time.monotonic()
        until, reason = self._resting
        if now < until:
            return Unasked(reason)
        # Several pictures may take too long where one would not: that says nothing about others.
        when_failed = self._rest if len(sizes) == 1 else self._rest_unless_late
        asked = _Asked("stable", None, self._label)
        return self._begin(asked, squares, sizes, deadline - now, when_failed)

    def _begin(
        self,
        asked: _Asked,
        squares: np.ndarray,
        sizes: Sequence[tuple[int, int]],
        seconds: float,
        when_failed: Callable[[ServingError], CountResponse],
    ) -> Counting | Unasked:
        if seconds <= 0:
            return Unasked(Uncounted.LATE)
        calls = [
            self._model_server.begin_predict(
                self.name,
                {"image": squares[n : n + MOST_PICTURES]},
                version=asked.version,
                label=asked.label,
                timeout=seconds,
            )
            for n in range(0, len(squares), MOST_PICTURES)
        ]
        return Counting(self, asked, calls, sizes, when_failed)

    def _rest(self, error: ServingError) -> CountResponse:
        """Note a failure, and let the counter rest."""
        reason = _reason(error)
        # Once for each pause at most: one line a request would hide all others.
        if time.monotonic() >= self._resting[0]:
            _log.warning("bills are not counted: %s: %s", type(error).__name__, error)
        self._resting = (time.monotonic() + PAUSE, reason)
        return CountResponse(reason)

    def _rest_unless_late(self, error: ServingError) -> CountResponse:
        late = _reason(error) is Uncounted.LATE
        return CountResponse(Uncounted.LATE) if late else self._rest(error)

    def check(self) -> CountResponse:
        """Tell whether the counter would be asked with success now; it is not run."""
        try:
            self._model_server.signatures(self.name, label=self._label, timeout=CHECK_SECONDS)
        except ServingError as error:
            return CountResponse(_reason(error))
        return CountResponse(None, (), {"name": self.name, "label": self._label})


def _reason(error: ServingError) -> Uncounted:
    if isinstance(error, NotServed):
        return Uncounted.NOT_SERVED
    if isinstance(error, Unavailable):
        return Uncounted.UNAVAILABLE
    return Uncounted.LATE if isinstance(error, DeadlineExceeded) else Uncounted.BAD_ANSWER
