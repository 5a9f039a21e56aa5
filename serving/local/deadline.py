"""The deadline of a request, which its waits in queues and its run of the model share."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable

from serving.local.errors import Code, StatusError

TIMED_OUT = "Timed out waiting for notification"
GONE = "The client has gone; the request was not run."
_MAX_SECONDS = 24 * 3600


def _never() -> bool:
    return False


@dataclasses.dataclass(frozen=True)
class Deadline:
    """The time until which a client waits for its answer.

    Attributes:
        end: monotonic time in seconds; infinity without a deadline.
        is_cancelled: whether the client has disconnected; a waiting request is then never run.
    """

    end: float = math.inf
    is_cancelled: Callable[[], bool] = _never

    @classmethod
    def after(cls, milliseconds: float, is_cancelled: Callable[[], bool] = _never) -> Deadline:
        """Returns the deadline after a time from now; 0 or less means no deadline."""
        end = time.monotonic() + milliseconds / 1000 if milliseconds > 0 else math.inf
        return cls(end, is_cancelled)

    def seconds_left(self) -> float | None:
        """Returns the remaining seconds, at least 0; None without a deadline."""
        return None if self.end == math.inf else max(0.0, self.end - time.monotonic())

    def milliseconds_left(self) -> int:
        """Returns the remaining time for TensorFlow, at least 1 ms; 0 without a deadline."""
        left = self.seconds_left()
        return 0 if left is None else max(1, math.ceil(1000 * min(left, _MAX_SECONDS)))

    def require(self) -> None:
        """Raises `CANCELLED` if the client has disconnected, or `DEADLINE_EXCEEDED`."""
        if self.is_cancelled():
            raise StatusError(Code.CANCELLED, GONE)
        if time.monotonic() >= self.end:
            raise StatusError(Code.DEADLINE_EXCEEDED, TIMED_OUT)


NO_DEADLINE = Deadline()
