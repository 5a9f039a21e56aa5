"""A REST request: its head, and a body with a limit of its size and of the size of all bodies."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import NamedTuple

from serving.concurrency import ByteBudget
from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError, invalid_argument

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_PIECE_COST = 64


class HttpError(StatusError):
    """An error with a status that only HTTP has; metrics count it under the nearest code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(Code.UNAVAILABLE if status == 503 else Code.INVALID_ARGUMENT, message)
        self.status = status


class Body:
    """The part of a body that has arrived; it counts against the budget until `release`."""

    def __init__(self, budget: ByteBudget, limit: int, *, gzip: bool = False) -> None:
        """Creates an empty body; `limit` in bytes applies before and after decompression."""
        self._budget = budget
        self._limit = limit
        self._gzip = gzip
        self._held = 0
        self._size = 0
        self._pieces: list[bytes] = []

    def expect(self, length: int) -> None:
        """Raises `HttpError` 413 for a length above the limit."""
        if length > self._limit:
            raise HttpError(413, f"Expected a request body of at most {self._limit} bytes.")

    def add(self, piece: bytes) -> None:
        """Appends a piece; raises `HttpError` 413 beyond the limit, 503 beyond the budget."""
        self._size += len(piece)
        self.expect(self._size)
        self._reserve(len(piece) + _PIECE_COST)
        self._pieces.append(piece)

    def take(self) -> bytearray:
        """Returns the opened content, once; raises like `add`, or `StatusError` for bad gzip."""
        # Joined in one step: an array that grows piece by piece leaves its old copies in memory.
        content, self._pieces = bytearray().join(self._pieces), []
        return self._opened(content) if self._gzip else content

    def release(self) -> None:
        """Returns the body's bytes to the budget."""
        self._budget.give_back(self._held)
        self._held, self._pieces = 0, []

    def _opened(self, packed: bytearray) -> bytearray:
        # A gzip member ends with its length. One byte more is read to detect a wrong length.
        size = min(int.from_bytes(packed[-4:], "little"), self._limit)
        self._reserve(size)
        opener = zlib.decompressobj(_GZIP_WINDOW)
        try:
            opened = bytearray(opener.decompress(packed, size + 1))
        except zlib.error as error:
            raise invalid_argument(f"The body is not gzip: {error}.") from error
        self.expect(len(opened))
        if not opener.eof or opener.unused_data:
            raise invalid_argument("Expected one whole gzip member.")
        return opened

    def _reserve(self, count: int) -> None:
        # A body must leave as many bytes free as it holds, so that a few large bodies that never
        # end do not block small ones.
        if not self._budget.take(count, leave=self._held + count):
            raise HttpError(503, "Other requests hold the memory for bodies. Try again.")
        self._held += count


class Request(NamedTuple):
    """One request; its path is as sent, percent-encoded, with its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Body
    deadline: Deadline = NO_DEADLINE
