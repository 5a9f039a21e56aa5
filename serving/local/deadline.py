"""Until when a client waits for its answer: one clock for the queues and the run itself."""

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
    """The end of a request's time.

    Attributes:
        end: in seconds of the monotonic clock; infinity for none.
        is_cancelled: whether the client has gone; what then still waits never runs.
    """

    end: float = math.inf
    is_cancelled: Callable[[], bool] = _never

    @classmethod
    def after(cls, milliseconds: float, is_cancelled: Callable[[], bool] = _never) -> Deadline:
        """A time that begins now; none ends where it is not positive."""
        end = time.monotonic() + milliseconds / 1000 if milliseconds > 0 else math.inf
        return cls(end, is_cancelled)

    def seconds_left(self) -> float | None:
        """What is left, or nothing of it; None where there is no end."""
        return None if self.end == math.inf else max(0.0, self.end - time.monotonic())

    def milliseconds_left(self) -> int:
        """The same for TensorFlow, which takes 0 for no end."""
        left = self.seconds_left()
        return 0 if left is None else max(1, math.ceil(1000 * min(left, _MAX_SECONDS)))

    def require(self) -> None:
        """Ends work whose client waits no longer, with `CANCELLED` or `DEADLINE_EXCEEDED`."""
        if self.is_cancelled():
            raise StatusError(Code.CANCELLED, GONE)
        if time.monotonic() >= self.end:
            raise StatusError(Code.DEADLINE_EXCEEDED, TIMED_OUT)


NO_DEADLINE = Deadline()
