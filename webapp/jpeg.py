"""What decoding a JPEG would cost, read from its markers alone (ITU T.81, annex B)."""

import re

MAX_SCANS = 100
"""Encoders write about ten scans, the most thorough ones 64; each is a walk over all pixels."""

_SCAN, _END = 0xDA, 0xD9
# Frames of sequential Huffman coding, baseline and extended.
_SEQUENTIAL = {0xC0, 0xC1}
# Where a segment tells the number of its components, counted from its length field.
_IN_FRAME, _IN_SCAN = 7, 2
# Markers that stand alone; all others are followed by the length of their segment.
_BARE = {0x01, 0xD8, *range(0xD0, 0xD8)}
_ARITHMETIC = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
# Within a scan 0xFF is data where a zero follows, a restart where 0xD0 to 0xD7 do. Of several 0xFF
# the last begins the marker. A pattern that begins with one plain byte is searched for by memchr:
# with `\xff+` a phone's photo took 15 times as long, as long as decoding it.
_NEXT_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)


def is_costly(data: bytes) -> bool:
    """Tell whether a JPEG may take the decoder minutes: by its scans, or by arithmetic coding.

    A scan of some ten bytes can stand for nothing at all, yet walks over the whole picture, so a
    file of a megabyte can keep a core for minutes. What follows the end marker is not looked at,
    nor what follows the first scan where it holds all of a picture, as a camera's does: there the
    decoder takes no other (libjpeg, jdinput.c, `has_multiple_scans`).

    Args:
        data: A file that starts as a JPEG.
    """
    scans, place, components = 0, 2, b""
    while marker := _NEXT_MARKER.search(data, place):
        kind, place = marker[1][0], marker.end()
        if kind in _SEQUENTIAL:
            components = _byte(data, place + _IN_FRAME)
        is_whole = kind == _SCAN and scans == 0 and components == _byte(data, place + _IN_SCAN)
        if kind == _END or is_whole:
            return False
        scans += kind == _SCAN
        if scans > MAX_SCANS or kind in _ARITHMETIC:
            return True
        if kind not in _BARE:
            place += int.from_bytes(data[place : place + 2])
    return False


def _byte(data: bytes, place: int) -> bytes:
    """One byte, or none behind the end."""
    return data[place : place + 1]
