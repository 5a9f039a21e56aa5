"""The process that decodes pictures, apart from the one that answers.

Decoders are large C libraries, and Pillow reads headers in Python: a hostile file may keep a core
busy for minutes, take gigabytes or crash its process. Here it can only harm a process that has a
bounded memory and that `webapp.decoders` ends at the deadline.
"""

import fcntl
import io
import resource
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
from PIL import Image

from webapp.preprocessing import BadImage, decode, open_header, to_tensor

MEMORY = 1_200_000_000
"""Bytes of a decoding process; 50 megapixels take up to 0.8 GB."""

_LARGE = 16_000_000


@dataclass(frozen=True)
class Seen:
    """What is left of a picture once it is decoded.

    Attributes:
        tensor: uint8 `[224, 224, 3]`, as the model takes it.
        small: A JPEG of the upright picture made small, where one was asked for.
        preprocessing: Seconds that were spent after decoding.
    """

    tensor: np.ndarray
    small: bytes | None
    preprocessing: float


def serve(socket: int) -> None:
    """Answer `(data, side)` with `Seen` or `BadImage` until the other end is closed.

    Args:
        socket: File descriptor of one end of a socket pair.
    """
    # Ctrl-C reaches the whole group; the front end then still finishes what it was asked.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    warnings.filterwarnings("ignore", module="PIL")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    with Connection(socket) as connection, suppress(EOFError, ConnectionError):
        while True:
            connection.send(_try_to_look(*connection.recv()))


def _try_to_look(data: bytes, side: int) -> Seen | BadImage:
    try:
        return look(data, side)
    except BadImage as error:
        return error


def look(data: bytes, side: int) -> Seen:
    """Decode a picture for the model, and for people where `side` is not 0.

    Args:
        data: A whole file, as `open_upright` takes it.
        side: Longest side in pixels of the small copy; 0 for none.

    Raises:
        BadImage: One of its kinds.
    """
    header = open_header(data)
    with _alone(header.width * header.height):
        upright = decode(header)
        started = time.perf_counter()
        tensor = to_tensor(upright)
        small = _small_copy(upright, side) if side else None
    return Seen(tensor, small, time.perf_counter() - started)


@contextmanager
def _alone(pixels: int) -> Iterator[None]:
    # One large picture at a time on the whole machine: two would take two gigabytes. The lock is
    # on this file, which every process finds, and goes with its process.
    if pixels < _LARGE:
        yield
        return
    with open(__file__, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _small_copy(upright: Image.Image, side: int) -> bytes:
    # In place: nobody needs the large picture any more.
    upright.thumbnail((side, side), reducing_gap=2.0)
    file = io.BytesIO()
    upright.save(file, "JPEG", quality=80)
    return file.getvalue()
