"""How long each step of a request took."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

Around = Callable[[str], AbstractContextManager[None]]


class Timings:
    """Seconds by stage of one request; a stage that is entered again adds to its seconds.

    Args:
        around: Makes a context that surrounds the named stage, such as a span of a trace.
    """

    def __init__(self, around: Around | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._around = around

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Add the time spent within the `with` block, also if the block fails."""
        started = time.perf_counter()
        try:
            with self._around(stage) if self._around else nullcontext():
                yield
        finally:
            elapsed = time.perf_counter() - started
            self.seconds[stage] = self.seconds.get(stage, 0.0) + elapsed

    def move(self, source: str, target: str, seconds: float) -> None:
        """Move some seconds from one stage to another."""
        self.seconds[source] -= seconds
        self.seconds[target] = self.seconds.get(target, 0.0) + seconds

    def milliseconds(self) -> dict[str, float]:
        """Return the milliseconds by stage, for people and logs."""
        return {stage: round(1000 * seconds, 1) for stage, seconds in self.seconds.items()}

    def server_timing(self) -> str:
        """Return the value of a `Server-Timing` header, which browsers show with the request."""
        return ", ".join(f"{stage};dur={ms}" for stage, ms in self.milliseconds().items())
