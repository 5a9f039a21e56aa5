"""A bound on the memory that uploads take together: each is small enough, a hundred are not."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from werkzeug.exceptions import ServiceUnavailable


class Budget:
    """Bytes of request bodies that may be in memory at once; safe to use from many threads.

    What counts is what has arrived, not what was announced: whoever announces much and sends
    little keeps nobody out.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._lock = threading.Lock()

    @contextmanager
    def meter(self, environ: dict[str, Any]) -> Iterator[None]:
        """Count what is read of a request's body against the budget until the block ends.

        Args:
            environ: The WSGI environment of the request.

        Raises:
            ServiceUnavailable: There is no room for the next piece; raised by the body's `read`.
        """
        metered = environ["wsgi.input"] = _Metered(environ["wsgi.input"], self)
        try:
            yield
        finally:
            self._change(metered.taken)

    def take(self, count: int) -> None:
        """Take `count` bytes, or raise `ServiceUnavailable`."""
        if not self._change(-count):
            raise ServiceUnavailable(
                "Too many pictures are on their way at this moment. Please try again.",
                retry_after=2,
            )

    def _change(self, count: int) -> bool:
        with self._lock:
            if self._free + count < 0:
                return False
            self._free += count
            return True


class _Metered:
    def __init__(self, body: IO[bytes], budget: Budget) -> None:
        self._body = body
        self._budget = budget
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        piece = self._body.read(size)
        self._budget.take(len(piece))
        self.taken += len(piece)
        return piece
