"""A call in progress and its duration, for both protocols."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from serving.client.interface import Prediction


class PendingCall:
    """See `PendingPrediction`."""

    def __init__(self, call: Any, read: Callable[[Any], Prediction]) -> None:
        """Times a call that was just begun.

        Args:
            call: a future of gRPC or of `concurrent.futures`.
            read: waits for the future and converts its result to a prediction; raises
                `ServingError`.
        """
        self._call, self._read = call, read
        self._begun, self._ended = time.monotonic(), float("inf")
        call.add_done_callback(self._stop)

    @property
    def seconds(self) -> float:
        """See `PendingPrediction.seconds`."""
        return min(self._ended, time.monotonic()) - self._begun

    def result(self) -> Prediction:
        """See `PendingPrediction.result`."""
        return self._read(self._call)

    def cancel(self) -> bool:
        """See `PendingPrediction.cancel`."""
        return bool(self._call.cancel())

    def _stop(self, _call: Any) -> None:
        self._ended = time.monotonic()
