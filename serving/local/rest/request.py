"""A REST request: its head, and a body that is bounded alone and together with all others."""

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
    """A refusal with a status that only HTTP knows; metrics count it by the nearest code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(Code.UNAVAILABLE if status == 503 else Code.INVALID_ARGUMENT, message)
        self.status = status


class Body:
    """The part of a body that has arrived; it counts against the budget until `release`."""

    def __init__(self, budget: ByteBudget, limit: int, *, gzip: bool = False) -> None:
        """Makes an empty body; `limit` is in bytes, as it is sent and as it is opened."""
        self._budget = budget
        self._limit = limit
        self._gzip = gzip
        self._held = 0
        self._size = 0
        self._pieces: list[bytes] = []

    def expect(self, length: int) -> None:
        """Refuses a length that exceeds the limit: `HttpError` 413."""
        if length > self._limit:
            raise HttpError(413, f"Expected a request body of at most {self._limit} bytes.")

    def add(self, piece: bytes) -> None:
        """Appends what arrived; `HttpError` 413 beyond the limit, 503 beyond the budget."""
        self._size += len(piece)
        self.expect(self._size)
        self._reserve(len(piece) + _PIECE_COST)
        self._pieces.append(piece)

    def take(self) -> bytearray:
        """Gives the content once; raises as `add` does, or `StatusError`, where it is opened."""
        # Joined at once: an array that grows piece by piece leaves its former selves behind.
        content, self._pieces = bytearray().join(self._pieces), []
        return self._opened(content) if self._gzip else content

    def release(self) -> None:
        """Gives the memory back."""
        self._budget.give_back(self._held)
        self._held, self._pieces = 0, []

    def _opened(self, packed: bytearray) -> bytearray:
        # A member ends with its length, if it tells the truth; one byte more shows that it does.
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
        # A body leaves at least as much free as it holds itself, so a few large bodies that never
        # end do not keep small ones out.
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
