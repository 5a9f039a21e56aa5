"""The process that decodes pictures, apart from the one that answers.

Decoders are large C libraries, and Pillow reads headers in Python: a hostile file may keep a core
busy for minutes, take gigabytes or crash its process. Here it can only harm a process that has a
bounded memory and that `webapp.decoders` ends at the deadline.
"""

import io
import resource
import signal
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from PIL import Image

from webapp.allocator import return_large_blocks
from webapp.bad_image import BadImage
from webapp.preprocessing import ENOUGH, at_reduced_scale, decode, open_header, to_square

MEMORY = 1_200_000_000
"""Bytes of a decoding process; 50 megapixels take up to 0.8 GB."""

LARGE = 16_000_000
"""Pixels of a picture that is decoded only while no other such picture is."""


@dataclass(frozen=True)
class Seen:
    """What is left of a picture once it is decoded.

    Attributes:
        pixels: The bytes of uint8 `[224, 224, 3]`, as the model takes it.
        small: A JPEG of the upright picture made small, where one was asked for.
        preprocessing: Seconds that were spent after decoding.
    """

    pixels: bytes
    small: bytes | None
    preprocessing: float


def serve(socket: int) -> None:
    """Decode one picture after the other until the other end is closed.

    First it says `True`, that it has started. Of each picture comes the longest side of its small
    copy (0 for none), then the bytes of its file. The answer is `BadImage` or `Seen`. Only where
    the picture will have more than `LARGE` pixels the answer is their number first; then comes
    whether to go on.

    Args:
        socket: File descriptor of one end of a socket pair.
    """
    # Ctrl-C reaches the whole group; the front end then still finishes what it was asked.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    warnings.filterwarnings("ignore", module="PIL")
    return_large_blocks()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    with Connection(socket) as connection, suppress(EOFError, ConnectionError):
        connection.send(True)
        while True:
            try:
                _answer(connection)
            except BadImage as error:
                connection.send(error)


def _answer(connection: Connection) -> None:
    side = connection.recv()
    header = at_reduced_scale(open_header(connection.recv_bytes()), max(ENOUGH, side))
    if _may_go_on(header.width * header.height, connection):
        connection.send(_look(header, side))


def _may_go_on(pixels: int, connection: Connection) -> bool:
    # Others are not asked about: each question is a way to the other process and back.
    if pixels <= LARGE:
        return True
    connection.send(pixels)
    return bool(connection.recv())


def _look(header: Image.Image, side: int) -> Seen:
    upright = decode(header)
    started = time.perf_counter()
    pixels = to_square(upright).tobytes()
    small = _small_copy(upright, side) if side else None
    return Seen(pixels, small, time.perf_counter() - started)


def _small_copy(upright: Image.Image, side: int) -> bytes:
    # In place: nobody needs the large picture any more.
    upright.thumbnail((side, side), reducing_gap=2.0)
    file = io.BytesIO()
    upright.save(file, "JPEG", quality=80)
    return file.getvalue()
