"""The input of gunicorn's parser: bytes received before a thread took over, then the rest."""

import socket
from collections.abc import Callable

from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]

NOTHING = memoryview(b"")


class Unreader(SocketUnreader):  # type: ignore[misc]
    """Returns the bytes that were received before a thread took over, then those of the socket.

    Args:
        sock: The connection.
        release: Called once all received bytes are consumed.
    """

    def __init__(self, sock: socket.socket, release: Callable[[], None]) -> None:
        super().__init__(sock)
        self.received = NOTHING
        self.is_late = False
        self._release = release

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next piece; raise `TimeoutError` if the rest did not arrive in time."""
        if self.received:
            return self._take(min(max(self.mxchunk, size_hint or 0), self.max_body_chunk))
        if self.is_late:
            raise TimeoutError
        piece: bytes = super().chunk(size_hint)
        return piece

    def take_buffered(self) -> bytes:
        """Return all buffered bytes of the next request."""
        before: bytes = super().take_buffered()
        return before + self._take(len(self.received)) if self.received else before

    def _take(self, size: int) -> bytes:
        piece = bytes(self.received[:size])
        self.received = self.received[size:] or NOTHING
        if not self.received:
            self._release()
        return piece
