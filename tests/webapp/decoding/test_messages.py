"""A message of a decoding process that breaks the protocol is refused."""

import pickle
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from webapp.decoding.messages import (
    COUNT_PIXELS,
    LARGEST_REPLY,
    PIXELS,
    BrokenReply,
    DecodedPhoto,
    ExceedsLimits,
    Request,
    receive_photo,
    receive_ready,
    receive_request,
    send_error,
    send_photo,
    send_ready,
    send_request,
)
from webapp.imaging.errors import BadImage, DamagedImage, TooCostly

PHOTO = DecodedPhoto(bytes(PIXELS), b"small", 0.25, (640, 480))
COUNTED = DecodedPhoto(bytes(PIXELS), b"small", 0.25, (640, 480), b"\1" * COUNT_PIXELS)
WITHOUT_COPY = DecodedPhoto(bytes(PIXELS), None, 0.0, (20_000, 400), b"\1" * COUNT_PIXELS)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The front end's end and the decoding process's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_000_000)
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


def soon() -> float:
    return time.monotonic() + 5


def reply(kind: int, body: bytes, size: int | None = None) -> bytes:
    return struct.pack("<BI", kind, len(body) if size is None else size) + body


def test_a_request_arrives_as_it_was_sent(pair: Pair) -> None:
    ours, theirs = pair
    request = Request(b"\xff\xd8" * 1000, 480, 0.15, 0.6, for_counter=True)
    send_request(ours, request)
    assert receive_request(theirs) == request


@pytest.mark.parametrize("photo", [PHOTO, COUNTED, WITHOUT_COPY])
def test_a_photo_arrives_as_it_was_sent(pair: Pair, photo: DecodedPhoto) -> None:
    ours, theirs = pair
    send_photo(theirs, photo)
    assert receive_photo(ours, soon()) == photo


@pytest.mark.parametrize("error", [BadImage("a"), DamagedImage("b"), TooCostly("\u00e9")])
def test_an_error_keeps_its_kind_and_sentence(pair: Pair, error: BadImage) -> None:
    ours, theirs = pair
    send_error(theirs, error)
    with pytest.raises(type(error), match=str(error)):
        receive_photo(ours, soon())


def test_costly_and_ready_are_told_apart(pair: Pair) -> None:
    ours, theirs = pair
    send_ready(theirs, "no filter")
    assert receive_ready(ours, soon()) == "no filter"
    send_error(theirs, ExceedsLimits())
    with pytest.raises(ExceedsLimits):
        receive_photo(ours, soon())


class Exploit:
    """Unpickled, it would run code."""

    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('code of the decoder ran')",)


@pytest.mark.parametrize(
    "said",
    [
        reply(0, b""),
        reply(9, b""),
        reply(1, bytes(PIXELS)),
        reply(1, struct.pack("<dIII", 0, 0, 5, 0) + bytes(PIXELS)),
        reply(1, struct.pack("<dIII", 0, 5, 20_001, 0) + bytes(PIXELS)),
        reply(1, struct.pack("<dIII", 0, 5, 5, 7) + bytes(PIXELS + 7)),
        reply(1, struct.pack("<dIII", 0, 5, 5, COUNT_PIXELS) + bytes(PIXELS)),
        reply(1, b""),
        reply(2, b""),
        reply(2, b"\xff what"),
        reply(1, b"", LARGEST_REPLY + 1),
        reply(1, b"", 2**32 - 1),
        struct.pack("!i", 80) + pickle.dumps(Exploit()),
    ],
    ids=[
        "ready twice",
        "unknown kind",
        "too few pixels",
        "no width",
        "too long a side",
        "too few pixels for the counter",
        "no pixels for the counter",
        "no pixels",
        "an error without a kind",
        "an error of unknown kind",
        "too large",
        "far too large",
        "a pickle",
    ],
)
def test_messages_outside_the_protocol_are_refused(pair: Pair, said: bytes) -> None:
    ours, theirs = pair
    theirs.sendall(said)
    with pytest.raises(BrokenReply):
        receive_photo(ours, soon())


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0])
def test_a_time_that_is_none_counts_as_no_time(pair: Pair, seconds: float) -> None:
    ours, theirs = pair
    send_photo(theirs, DecodedPhoto(bytes(PIXELS), None, seconds, (1, 1)))
    assert receive_photo(ours, soon()).preprocessing == 0.0


def test_a_reply_that_trickles_or_stops_ends_with_the_time(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(reply(1, b"some", 1000))
    with pytest.raises(TimeoutError):
        receive_photo(ours, time.monotonic() + 0.1)


def test_the_end_of_the_process_is_told(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(b"\1\0")
    theirs.close()
    with pytest.raises(EOFError):
        receive_photo(ours, soon())
