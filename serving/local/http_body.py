"""The body of an HTTP request: of a told length or in chunks, compressed or not, never without end.

The rules are the original's (recorded cases 176 to 186, 866 to 871); the limits are ours.
"""

from __future__ import annotations

import re
import zlib
from email.message import Message
from io import BufferedIOBase, BytesIO

MAX_BODY_BYTES = 2**28
"""The original knows no limit, but its JSON takes a fraction of the memory that Python's does."""

MAX_OPENED_BYTES = 100 * 2**20
"""What a gzip body may open to; beyond it, it counts as empty (recorded case 866)."""

MAX_LINE_BYTES = 2**10
MAX_TRAILER_LINES = 100
"""Of what stands around chunks and is read by nobody."""

_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class BadRequestError(Exception):
    """The bytes on the connection are not a request that can be answered in JSON."""


class BodyTooLargeError(Exception):
    """It may be a good request, but its body has more than `MAX_BODY_BYTES`."""

    def __str__(self) -> str:
        return f"Expected a request body of at most {MAX_BODY_BYTES} bytes. Received: more."


def read_body(stream: BufferedIOBase, headers: Message) -> bytes:
    """Reads and opens the body that follows a head; empty where there is none.

    Raises:
        BadRequestError: its length cannot be told.
        BodyTooLargeError: what follows is left unread.
        ConnectionResetError: the client closed in the middle of it.
    """
    chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
    length = headers.get("Content-Length")
    if chunked and length is not None:
        raise BadRequestError
    body = _chunks(stream) if chunked else _read(stream, _length(length))
    if "gzip" in headers.get("Content-Encoding", ""):
        return _opened(body)
    return body


def _length(header: str | None) -> int:
    if header is None:
        return 0
    if not _DIGITS.fullmatch(header.strip()):
        raise BadRequestError
    return int(header)


def _read(stream: BufferedIOBase, length: int, limit: int = MAX_BODY_BYTES) -> bytes:
    if length < 0:
        raise BadRequestError
    if length > limit:
        raise BodyTooLargeError
    body = stream.read(length)
    if len(body) < length:
        raise ConnectionResetError("The client closed in the middle of its body.")
    return body


def _chunks(stream: BufferedIOBase) -> bytes:
    body = BytesIO()
    while size := _chunk_size(stream):
        body.write(_read(stream, size, MAX_BODY_BYTES - body.tell()))
        _line(stream)
    _skip_trailer(stream)
    return body.getvalue()


def _chunk_size(stream: BufferedIOBase) -> int:
    digits = _line(stream).split(b";")[0].strip()
    try:
        return int(digits, 16)
    except ValueError as error:
        raise BadRequestError from error


def _skip_trailer(stream: BufferedIOBase) -> None:
    for _ in range(MAX_TRAILER_LINES):
        if not _line(stream).strip():
            return
    raise BadRequestError


def _line(stream: BufferedIOBase) -> bytes:
    line = stream.readline(MAX_LINE_BYTES)
    if len(line) == MAX_LINE_BYTES:
        raise BadRequestError
    return line


def _opened(body: bytes) -> bytes:
    """What one gzip member holds; empty where anything else is there, or follows it."""
    opener = zlib.decompressobj(_GZIP_WINDOW)
    try:
        opened = opener.decompress(body, MAX_OPENED_BYTES)
    except zlib.error:
        return b""
    return opened if opener.eof and not opener.unused_data else b""
