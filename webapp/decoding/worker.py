"""The process that decodes pictures, apart from the one that answers.

Decoders are large C libraries, and Pillow reads headers in Python: a hostile file may keep a core
busy for minutes, take gigabytes or take over its process. Here it can only harm a process that has
bounded memory and time, that may do nothing but decode (`webapp.decoding.sandbox`), and that
`webapp.decoding.process` ends at the deadline.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import time
import warnings
from contextlib import suppress

# All that a picture may need: once the process is confined, nothing is imported any more.
from PIL import (  # noqa: F401
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from webapp.allocator import return_large_blocks
from webapp.decoding import sandbox
from webapp.decoding.messages import (
    Costly,
    DecodedPhoto,
    Request,
    receive_request,
    send_error,
    send_photo,
    send_ready,
)
from webapp.imaging import cost
from webapp.imaging.errors import BadImage, TooCostly
from webapp.imaging.preprocessing import (
    COUNT_SIZE,
    ENOUGH,
    at_reduced_scale,
    decode,
    letterboxed,
    open_header,
    to_square,
)


def serve(descriptor: int, memory: int, niceness: int) -> None:
    """Decode one picture after the other until the other end is closed.

    First it says that it is ready. The answer to a `Request` is a `DecodedPhoto`, a `BadImage`, or
    `Costly` where its estimate is beyond what the request allows.

    Args:
        descriptor: One end of a socket pair.
        memory: Most bytes of data that the process may have.
        niceness: Added to its own, see nice(2).
    """
    # Ctrl-C reaches the whole group; the front end then still finishes what it was asked.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as connection, suppress(EOFError, ConnectionError):
        send_ready(connection, prepare(memory, niceness))
        while True:
            request = receive_request(connection)
            try:
                send_photo(connection, _answer(request))
            except (BadImage, Costly) as error:
                send_error(connection, error)


def prepare(memory: int, niceness: int) -> str:
    """Bound and confine this process; returns why a filter is lacking, see `sandbox.confine`."""
    warnings.filterwarnings("ignore", module="PIL")
    return_large_blocks()
    os.nice(niceness)
    sandbox.limit(memory)
    _warm_up()
    return sandbox.confine()


def _answer(request: Request) -> DecodedPhoto:
    # The kernel ends the process where the picture takes more than it may (SIGPROF).
    signal.setitimer(signal.ITIMER_PROF, request.most_seconds)
    try:
        header = open_header(request.data)
        full_size = header.size
        longest = COUNT_SIZE if request.for_counter else 0
        reduced = at_reduced_scale(header, max(ENOUGH, request.side), longest)
        scans = header.info.get("scans", 1)
        if cost.estimate(reduced, full_size, scans, len(request.data)) > request.most_estimated:
            raise Costly
        return _decode(reduced, request.side, request.for_counter)
    except (MemoryError, TooCostly) as error:
        if isinstance(error.__cause__ or error, MemoryError):
            raise Costly from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _decode(header: Image.Image, side: int, for_counter: bool) -> DecodedPhoto:
    upright = decode(header)
    started = time.perf_counter()
    pixels = to_square(upright).tobytes()
    square = letterboxed(upright).tobytes() if for_counter else None
    small = _small_copy(upright, side) if side else None
    return DecodedPhoto(pixels, small, time.perf_counter() - started, upright.size, square)


def _small_copy(upright: Image.Image, side: int) -> bytes:
    # A new picture: `thumbnail` leaves a HEIC its decoder, which would write its pixels once more.
    scale = min(1.0, side / max(upright.size))
    size = (max(1, round(upright.width * scale)), max(1, round(upright.height * scale)))
    file = io.BytesIO()
    upright.resize(size, reducing_gap=2.0).save(file, "JPEG", quality=80)
    return file.getvalue()


def _warm_up() -> None:
    """Decode a picture, so that what the libraries load at their first use is loaded."""
    tiny = Image.new("RGB", (8, 8))
    for name in ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF"):
        file = io.BytesIO()
        tiny.save(file, name)
        _decode(open_header(file.getvalue()), 8, for_counter=True)
