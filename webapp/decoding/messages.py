"""Messages between the front end and a decoding process: fixed layouts with checked lengths.

Nothing here is unpickled: a process that a hostile picture has taken over can send a wrong picture
or a wrong sentence, but no code. Its messages are bounded in size, and read within a time limit.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from enum import IntEnum

from webapp.imaging.cost import MAX_SIDE
from webapp.imaging.errors import (
    BadImage,
    DamagedImage,
    NotAnImage,
    TooCostly,
    TooManyPixels,
    UnsupportedImage,
)
from webapp.imaging.preprocessing import COUNT_SIZE, IMAGE_SIZE

PIXELS = IMAGE_SIZE * IMAGE_SIZE * 3
"""Bytes of a decoded picture."""
COUNT_PIXELS = COUNT_SIZE * COUNT_SIZE * 3
"""Bytes of a decoded picture in the counter's format."""
LARGEST_REPLY = 4_000_000
"""Most bytes of a reply; a small copy of 480 pixels takes some 50,000."""

# Bytes of the file; longest side of the small copy; two bounds on seconds of processor time;
# whether the counter needs the picture too.
_REQUEST = struct.Struct("<QIdd?")
# Kind of the reply; number of bytes that follow.
_REPLY = struct.Struct("<BI")
# Seconds of preprocessing; width and height of the picture; number of bytes for the counter.
_PHOTO = struct.Struct("<dIII")
_KINDS = (BadImage, NotAnImage, DamagedImage, TooManyPixels, TooCostly, UnsupportedImage)
_LONGEST_SENTENCE = 1000


class BrokenReply(Exception):
    """The decoding process has sent a message that violates the protocol."""


class _Reply(IntEnum):
    READY = 0
    PHOTO = 1
    ERROR = 2
    EXCEEDS_LIMITS = 3


class ExceedsLimits(Exception):
    """Decoding the picture would exceed the limits of this process."""


@dataclass(frozen=True)
class Request:
    """One picture to decode.

    Attributes:
        data: A whole file.
        side: Longest side in pixels of the small copy; 0 for none.
        most_estimated: Most seconds of processor time that the estimate may give.
        most_seconds: Seconds of processor time after which the process is killed.
        for_counter: Whether the counter needs the picture too.
    """

    data: bytes
    side: int
    most_estimated: float
    most_seconds: float
    for_counter: bool = False


@dataclass(frozen=True)
class DecodedPhoto:
    """The result of decoding a picture.

    Attributes:
        pixels: The bytes of the model's input, uint8 `[224, 224, 3]`.
        small: A JPEG with a small copy of the upright picture, if it was requested.
        preprocessing: Seconds that were spent after decoding.
        size: Width and height of the upright picture as it was decoded.
        square: The bytes of the counter's input, uint8 `[448, 448, 3]`, if they were requested.
    """

    pixels: bytes
    small: bytes | None
    preprocessing: float
    size: tuple[int, int]
    square: bytes | None = None


def send_request(connection: socket.socket, request: Request) -> None:
    """Send a picture to the decoding process."""
    bounds = (request.most_estimated, request.most_seconds)
    connection.sendall(_REQUEST.pack(len(request.data), request.side, *bounds, request.for_counter))
    connection.sendall(request.data)


def receive_request(connection: socket.socket) -> Request:
    """Wait for the next picture, in the decoding process.

    Raises:
        EOFError: The front end has closed the connection.
    """
    size, side, *rest = _REQUEST.unpack(_receive_all(connection, _REQUEST.size))
    return Request(_receive_all(connection, size), side, *rest)


def send_ready(connection: socket.socket, lacking: str) -> None:
    """Report that the process has started, and which part of its confinement is missing, if any."""
    _send(connection, _Reply.READY, lacking.encode()[:_LONGEST_SENTENCE])


def send_photo(connection: socket.socket, photo: DecodedPhoto) -> None:
    """Send the decoded picture."""
    square = photo.square or b""
    head = _PHOTO.pack(photo.preprocessing, *photo.size, len(square))
    _send(connection, _Reply.PHOTO, b"".join((head, photo.pixels, square, photo.small or b"")))


def send_error(connection: socket.socket, error: BadImage | ExceedsLimits) -> None:
    """Send the reason why the picture was not decoded."""
    if isinstance(error, ExceedsLimits):
        return _send(connection, _Reply.EXCEEDS_LIMITS, b"")
    kind = bytes([_KINDS.index(type(error))])
    return _send(connection, _Reply.ERROR, kind + str(error).encode()[:_LONGEST_SENTENCE])


def receive_ready(connection: socket.socket, until: float) -> str:
    """Wait for the process to start; return which part of its confinement is missing.

    Raises:
        TimeoutError: It has not started by `until`, on the clock of `time.monotonic`.
        EOFError, OSError: It has ended.
        BrokenReply: It has sent a different message.
    """
    kind, body = _receive_reply(connection, until)
    if kind != _Reply.READY:
        raise BrokenReply(f"kind {kind}")
    return body.decode(errors="replace")


def receive_photo(connection: socket.socket, until: float) -> DecodedPhoto:
    """Wait for the answer about a picture.

    Raises:
        BadImage: The problem that the process has found in the picture.
        ExceedsLimits: The picture exceeds the limits of the process.
        TimeoutError: There is no whole answer by `until`, on the clock of `time.monotonic`.
        EOFError, OSError: The process has ended.
        BrokenReply: The answer violates the protocol.
    """
    kind, body = _receive_reply(connection, until)
    if kind == _Reply.PHOTO:
        return _photo(body)
    if kind == _Reply.EXCEEDS_LIMITS:
        raise ExceedsLimits
    if kind == _Reply.ERROR and body and body[0] < len(_KINDS):
        raise _KINDS[body[0]](body[1:].decode(errors="replace"))
    raise BrokenReply(f"kind {kind} with {len(body)} bytes")


def _photo(body: bytes) -> DecodedPhoto:
    if len(body) < _PHOTO.size + PIXELS:
        raise BrokenReply(f"a picture of {len(body)} bytes")
    seconds, width, height, square = _PHOTO.unpack_from(body)
    middle = _PHOTO.size + PIXELS
    end = middle + square
    if square not in (0, COUNT_PIXELS) or len(body) < end:
        raise BrokenReply(f"a picture of {len(body)} bytes, {square} of them for the counter")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise BrokenReply(f"a picture of {width} x {height} pixels")
    # NaN or infinity would otherwise reach clients in the JSON of the reply.
    seconds = seconds if 0 <= seconds < 3600 else 0.0
    pixels, counted = body[_PHOTO.size : middle], body[middle:end] or None
    return DecodedPhoto(pixels, body[end:] or None, seconds, (width, height), counted)


def _send(connection: socket.socket, kind: _Reply, body: bytes) -> None:
    connection.sendall(_REPLY.pack(kind, len(body)) + body)


def _receive_reply(connection: socket.socket, until: float) -> tuple[int, bytes]:
    kind, size = _REPLY.unpack(_receive_all(connection, _REPLY.size, until))
    if size > LARGEST_REPLY:
        raise BrokenReply(f"{size} bytes")
    return kind, _receive_all(connection, size, until)


def _receive_all(connection: socket.socket, size: int, until: float | None = None) -> bytes:
    # One allocation of the right size if all bytes arrive together, as without a time limit.
    pieces = []
    while size:
        if until is not None:
            connection.settimeout(max(0.001, until - time.monotonic()))
        piece = connection.recv(size, socket.MSG_WAITALL)
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
