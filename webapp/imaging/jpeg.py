"""Scans of a JPEG and whether its end is missing, from its markers alone (ITU T.81, B)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from webapp.imaging.errors import TooCostly

MAX_SCANS = 100
"""Encoders write about ten scans, the most thorough 64; each scan is a pass over all pixels."""

MAX_SEGMENTS = 10_000
"""Most markers of a file, scans and tables included; 20 MB in segments of 64 kB are 300."""

START, END = b"\xff\xd8", b"\xff\xd9"

SCAN, _END = 0xDA, 0xD9
# Frames of sequential Huffman coding, baseline and extended.
_SEQUENTIAL = {0xC0, 0xC1}
# Offset of the number of components in a segment, counted from its length field.
_IN_FRAME, _IN_SCAN = 7, 2
# Markers that stand alone; all others are followed by the length of their segment.
_BARE = {0x01, 0xD8, *range(0xD0, 0xD8)}
_ARITHMETIC = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
# Within a scan, 0xFF is data if a zero follows, and a restart if 0xD0 to 0xD7 follows. Of several
# 0xFF the last begins the marker; a long run of them is skipped in one match. `re` searches with
# memchr for a pattern that begins with one plain byte: with `\xff+` a phone's photo took 15 times
# as long, as long as decoding it.
_NEXT_MARKER = re.compile(rb"\xff(?:([^\x00\xd0-\xd7\xff])|\xff{7,}+)", re.DOTALL)


def count_scans(data: bytes) -> int:
    """Count the scans that the decoder will process, up to one more than `MAX_SCANS`.

    An empty scan of some ten bytes still makes the decoder walk over the whole picture, so a file
    of a megabyte can keep a core busy for minutes. Bytes after the end marker are ignored. If the
    first scan holds all components, as in a camera's picture, bytes after it are ignored too: the
    decoder then reads no other scan (libjpeg, jdinput.c, `has_multiple_scans`).

    Args:
        data: A file that starts as a JPEG.

    Returns:
        The number of scans; `MAX_SCANS` + 1 also for arithmetic coding, which is as slow.
    """
    scans, components = 0, b""
    for kind, place, _ in markers(data):
        if kind in _SEQUENTIAL:
            components = _byte(data, place + _IN_FRAME)
        if kind == SCAN and scans == 0 and components == _byte(data, place + _IN_SCAN):
            return 1
        scans += kind == SCAN
        if scans > MAX_SCANS or kind in _ARITHMETIC:
            return MAX_SCANS + 1
    return scans


def lacks_its_end(data: bytes) -> bool:
    """Report whether no end marker follows the first scan, as in a truncated file."""
    if data.endswith(END):
        return False
    start = next((place for kind, place, _ in markers(data) if kind == SCAN), len(data))
    return data.find(END, start) < 0


def reaches_full_precision(data: bytes) -> bool:
    """Report whether a progressive JPEG has begun the final refinement scan of a component.

    Such a file can lack no more than the last bits of its finest details.
    """
    for kind, place, _ in markers(data):
        components = _byte(data, place + _IN_SCAN)
        if kind == SCAN and components:
            # First and last coefficient, then the precision before and after this scan, in bits.
            start = place + 3 + 2 * components[0]
            band = data[start : start + 3]
            if len(band) == 3 and band[1] == 63 and not band[2] & 15:
                return True
    return False


def markers(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield each marker up to the end of a JPEG.

    Yields:
        The marker's second byte; the offset after it, where its segment begins; the segment's end.

    Raises:
        TooCostly: There are more than `MAX_SEGMENTS`.
    """
    place, count = len(START), 0
    while marker := _NEXT_MARKER.search(data, place):
        if not marker[1]:
            place = marker.end() - 1
            continue
        kind, begin = marker[1][0], marker.end()
        if kind == _END:
            return
        if (count := count + 1) > MAX_SEGMENTS:
            raise TooCostly(f"The JPEG has over {MAX_SEGMENTS:,} segments: no camera writes that.")
        # The length includes the two bytes of the length field.
        length = 0 if kind in _BARE else max(2, int.from_bytes(data[begin : begin + 2]))
        place = begin + length
        yield kind, begin, place


def _byte(data: bytes, place: int) -> bytes:
    """Return one byte, or empty bytes after the end of the data."""
    return data[place : place + 1]
