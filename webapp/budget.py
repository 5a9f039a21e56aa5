"""A bound on the memory that uploads take together: each is small enough, a hundred are not."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from werkzeug.exceptions import ServiceUnavailable

# How many copies of a body there are at worst: read, taken apart, handed to a decoder.
_COPIES = {"application/json": 5}
_COPIES_OF_OTHERS = 2
_SMALLEST, _LARGEST = 65_536, 1_048_576
_NOTHING = memoryview(b"")


class Budget:
    """Bytes that request bodies may take in memory at once; safe to use from many threads.

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
        kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        copies = _COPIES.get(kind, _COPIES_OF_OTHERS)
        metered = environ["wsgi.input"] = _Metered(environ["wsgi.input"], self, copies)
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
    """Asks for as much as has come so far, a megabyte at most, whatever is asked of it.

    Gunicorn copies all that it holds, up to a megabyte, for each piece it gives, and Werkzeug takes
    pieces of 64 kB. It never waits for more than has come already, or 64 kB.
    """

    def __init__(self, body: IO[bytes], budget: Budget, copies: int) -> None:
        self._body = body
        self._budget = budget
        self._copies = copies
        self._arrived = 0
        self._ahead = _NOTHING

    @property
    def taken(self) -> int:
        return self._arrived * self._copies

    def read(self, size: int) -> bytes:
        if not self._ahead:
            self._read_ahead()
        piece = bytes(self._ahead[:size])
        # An empty view of what was read would keep it for as long as the request waits in line.
        self._ahead = self._ahead[size:] or _NOTHING
        return piece

    def _read_ahead(self) -> None:
        piece = self._body.read(min(max(self._arrived, _SMALLEST), _LARGEST))
        self._budget.take(len(piece) * self._copies)
        self._arrived += len(piece)
        self._ahead = memoryview(piece)
