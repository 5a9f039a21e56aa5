"""The program of a decoding process, which is separate from the process that answers requests.

Decoders are large C libraries, and Pillow reads headers in Python: a hostile file may keep a core
busy for minutes, take gigabytes or take over its process. Here it can only harm a process that has
bounded memory and time, that may do nothing but decode (`webapp.decoding.sandbox`), and that
`webapp.decoding.process` kills at the deadline.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import time
import warnings
from contextlib import suppress

# All modules that a picture may need, `ImageCms` for LAB: a confined process cannot import any.
from PIL import (  # noqa: F401
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from webapp.allocator import return_large_blocks
from webapp.decoding import sandbox
from webapp.decoding.messages import (
    DecodedPhoto,
    ExceedsLimits,
    Request,
    receive_request,
    send_error,
    send_photo,
    send_ready,
)
from webapp.imaging import cost
from webapp.imaging.errors import BadImage, TooCostly
from webapp.imaging.header import open_header
from webapp.imaging.preprocessing import (
    COUNT_SIZE,
    MIN_REDUCED_SIDE,
    at_reduced_scale,
    decode,
    letterboxed,
    to_square,
)


def serve(descriptor: int, memory: int, niceness: int) -> None:
    """Decode pictures one after the other until the front end closes the connection.

    First report that the process is ready. The reply to a `Request` is a `DecodedPhoto`, a
    `BadImage`, or `ExceedsLimits` if the estimate exceeds the limit of the request.

    Args:
        descriptor: One end of a socket pair.
        memory: Most bytes of data that the process may allocate.
        niceness: Added to the niceness of the process, see nice(2).
    """
    # Ctrl-C reaches the whole process group, but the front end still finishes its open requests.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as connection, suppress(EOFError, ConnectionError):
        send_ready(connection, prepare(memory, niceness))
        while True:
            request = receive_request(connection)
            try:
                send_photo(connection, _answer(request))
            except (BadImage, ExceedsLimits) as error:
                send_error(connection, error)


def prepare(memory: int, niceness: int) -> str:
    """Limit and confine this process; return why the filter is missing, see `sandbox.confine`."""
    warnings.filterwarnings("ignore", module="PIL")
    return_large_blocks()
    os.nice(niceness)
    sandbox.limit(memory)
    _warm_up()
    return sandbox.confine()


def _answer(request: Request) -> DecodedPhoto:
    # The kernel kills the process (SIGPROF) if the picture takes more processor time.
    signal.setitimer(signal.ITIMER_PROF, request.most_seconds)
    try:
        header = open_header(request.data)
        full_size = header.size
        longest = COUNT_SIZE if request.for_counter else 0
        reduced = at_reduced_scale(header, max(MIN_REDUCED_SIDE, request.side), longest)
        scans = header.info.get("scans", 1)
        if cost.estimate(reduced, full_size, scans, len(request.data)) > request.most_estimated:
            raise ExceedsLimits
        return _decode(reduced, request.side, request.for_counter)
    except (MemoryError, TooCostly) as error:
        if isinstance(error.__cause__ or error, MemoryError):
            raise ExceedsLimits from error
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
    # Resized into a new image: with `thumbnail`, a HEIC decoder would write its pixels again.
    scale = min(1.0, side / max(upright.size))
    size = (max(1, round(upright.width * scale)), max(1, round(upright.height * scale)))
    file = io.BytesIO()
    upright.resize(size, reducing_gap=2.0).save(file, "JPEG", quality=80)
    return file.getvalue()


def _warm_up() -> None:
    """Decode a picture of each format, so that the libraries load everything they load lazily."""
    tiny = Image.new("RGB", (8, 8))
    for name in ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF"):
        file = io.BytesIO()
        tiny.save(file, name)
        _decode(open_header(file.getvalue()), 8, for_counter=True)
