"""Messages between the front end and a decoding process: fixed layouts with checked lengths.

Nothing here is unpickled: a process that a hostile picture has taken over can send a wrong picture
or a wrong sentence, and no code. Every message from it is bounded, and read within a time limit.
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
"""Bytes of a decoded picture as the counter takes it."""
LARGEST_REPLY = 4_000_000
"""Bytes of a reply; a small copy of 480 pixels takes some 50,000."""

# Bytes of the file; longest side of the small copy; two bounds on seconds of processor time;
# whether it is for the counter too.
_REQUEST = struct.Struct("<QIdd?")
# Kind; bytes that follow.
_REPLY = struct.Struct("<BI")
# Seconds of preprocessing; width and height of the picture; bytes for the counter.
_PHOTO = struct.Struct("<dIII")
_KINDS = (BadImage, NotAnImage, DamagedImage, TooManyPixels, TooCostly, UnsupportedImage)
_LONGEST_SENTENCE = 1000


class BrokenReply(Exception):
    """The other process has sent something that is not in the protocol."""


class _Reply(IntEnum):
    READY = 0
    PHOTO = 1
    ERROR = 2
    COSTLY = 3


class Costly(Exception):
    """The picture would cost more than this process is for."""


@dataclass(frozen=True)
class Request:
    """One picture to decode.

    Attributes:
        data: A whole file.
        side: Longest side in pixels of the small copy; 0 for none.
        most_estimated: Seconds of processor time that it may take by the estimate.
        most_seconds: Seconds of processor time after which the process is ended.
        for_counter: Whether the counter will be asked about it.
    """

    data: bytes
    side: int
    most_estimated: float
    most_seconds: float
    for_counter: bool = False


@dataclass(frozen=True)
class DecodedPhoto:
    """What is left of a picture once it is decoded.

    Attributes:
        pixels: The bytes of uint8 `[224, 224, 3]`, as the model takes it.
        small: A JPEG of the upright picture made small, where one was asked for.
        preprocessing: Seconds that were spent after decoding.
        size: Width and height of the upright picture as it was decoded.
        square: The bytes of uint8 `[448, 448, 3]`, as the counter takes it, where that was asked
            for.
    """

    pixels: bytes
    small: bytes | None
    preprocessing: float
    size: tuple[int, int]
    square: bytes | None = None


def send_request(connection: socket.socket, request: Request) -> None:
    """Hand a picture to the decoding process."""
    bounds = (request.most_estimated, request.most_seconds)
    connection.sendall(_REQUEST.pack(len(request.data), request.side, *bounds, request.for_counter))
    connection.sendall(request.data)


def receive_request(connection: socket.socket) -> Request:
    """Wait for the next picture, in the decoding process.

    Raises:
        EOFError: The front end is gone.
    """
    size, side, *rest = _REQUEST.unpack(_receive_all(connection, _REQUEST.size))
    return Request(_receive_all(connection, size), side, *rest)


def send_ready(connection: socket.socket, lacking: str) -> None:
    """Say that the process has started, and which part of its confinement is lacking, if any."""
    _send(connection, _Reply.READY, lacking.encode()[:_LONGEST_SENTENCE])


def send_photo(connection: socket.socket, photo: DecodedPhoto) -> None:
    """Send the decoded picture."""
    square = photo.square or b""
    head = _PHOTO.pack(photo.preprocessing, *photo.size, len(square))
    _send(connection, _Reply.PHOTO, b"".join((head, photo.pixels, square, photo.small or b"")))


def send_error(connection: socket.socket, error: BadImage | Costly) -> None:
    """Send what is wrong with the picture."""
    if isinstance(error, Costly):
        return _send(connection, _Reply.COSTLY, b"")
    kind = bytes([_KINDS.index(type(error))])
    return _send(connection, _Reply.ERROR, kind + str(error).encode()[:_LONGEST_SENTENCE])


def receive_ready(connection: socket.socket, until: float) -> str:
    """Wait for the process to start; returns what its confinement lacks.

    Raises:
        TimeoutError: It has not started by `until`, on the clock of `time.monotonic`.
        EOFError, OSError: It has ended.
        BrokenReply: It says something else.
    """
    kind, body = _receive_reply(connection, until)
    if kind != _Reply.READY:
        raise BrokenReply(f"kind {kind}")
    return body.decode(errors="replace")


def receive_photo(connection: socket.socket, until: float) -> DecodedPhoto:
    """Wait for the answer about a picture.

    Raises:
        BadImage: What the process has found wrong with it.
        Costly: It belongs into the slow lane.
        TimeoutError: There is no whole answer by `until`, on the clock of `time.monotonic`.
        EOFError, OSError: The process has ended.
        BrokenReply: The answer is none.
    """
    kind, body = _receive_reply(connection, until)
    if kind == _Reply.PHOTO:
        return _photo(body)
    if kind == _Reply.COSTLY:
        raise Costly
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
    # A number that is none would be told to clients as JSON.
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
    # One allocation of the right size where all comes at once, as it does without a time limit.
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
