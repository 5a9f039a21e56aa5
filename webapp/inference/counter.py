"""The counter: a second model, asked in parallel with the first about all bills of a photo.

The counter is optional. If it is missing, late or returns invalid outputs, photos are answered as
without a counter, and the reply reports why nothing was counted.
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
from webapp.inference.calls import CallCounts
from webapp.settings import Settings

_log = logging.getLogger("webapp")

MOST_PICTURES = 16
"""Most pictures in one call of the counter."""
OPEN_SECONDS = 2.0
"""Seconds for which the circuit breaker stays open after a failure, so that a counter that hangs
delays few photos and a missing counter costs nothing."""
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
    """The outcome of counting the bills of one request.

    Attributes:
        reason: Why the bills were not counted; None if they were.
        photos: One entry for each picture; empty if the bills were not counted.
        model: `name`, `version` (None if the protocol does not report it) and `label`.
    """

    reason: Uncounted | None
    photos: Sequence[CountedPhoto] = ()
    model: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the member `count` of a reply."""
        if self.reason is not None:
            return {"available": False, "reason": self.reason}
        return {"available": True, **(self.model or {})}


class _Asked(NamedTuple):
    """The version to ask: a version on trial by its number, or the version that has a label."""

    sent_as: str
    version: int | None
    label: str | None


class Unasked(NamedTuple):
    """A request that was not sent to the counter, with the reason."""

    reason: Uncounted

    def result(self) -> CountResponse:
        """Return a response with the reason."""
        return CountResponse(self.reason)

    def cancel(self) -> None:
        """Do nothing: no call is in progress."""


class Counting:
    """A request to the counter that is in progress."""

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
        """Wait for the answer, at most until the timeout of the calls."""
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
        """Cancel the calls: nobody needs their answer."""
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
    """Asks one model for the bills on photos and their values; safe to use from many threads.

    A circuit breaker opens after a failure: for `OPEN_SECONDS` no request is sent to the stable
    version.
    """

    def __init__(
        self, settings: Settings, model_server: Client, calls: CallCounts | None = None
    ) -> None:
        self.name = settings.counter
        self.calls = calls or CallCounts()
        self._settings = settings
        self._model_server = model_server
        self._label = settings.model_label or None
        self._open_until = 0.0
        self._open_reason = Uncounted.UNAVAILABLE

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
                counter's own timeout may end earlier.
            canary: Version number on trial to ask first, with half of the time; if it fails, the
                stable version is asked.
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
        if now < self._open_until:
            return Unasked(self._open_reason)
        # A late answer opens the circuit only if it had time enough: several pictures take longer,
        # and a slow photo or a canary may have used up most of the time before.
        usual = min(self._settings.counter_timeout, self._settings.timeout)
        fair = len(sizes) == 1 and deadline - now > usual / 2
        when_failed = self._open_circuit if fair else self._open_circuit_unless_late
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

    def _open_circuit(self, error: ServingError) -> CountResponse:
        # Logged once while the circuit is open: one line per request would hide all other lines.
        if time.monotonic() >= self._open_until:
            _log.warning("bills are not counted: %s: %s", type(error).__name__, error)
        reason = _reason(error)
        self._open_until, self._open_reason = time.monotonic() + OPEN_SECONDS, reason
        return CountResponse(reason)

    def _open_circuit_unless_late(self, error: ServingError) -> CountResponse:
        late = _reason(error) is Uncounted.LATE
        return CountResponse(Uncounted.LATE) if late else self._open_circuit(error)

    def check(self) -> CountResponse:
        """Report whether the counter is available now, without running the model."""
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
