"""What reading a TIFF would cost, told from its first directory alone (TIFF 6.0, section 2).

Pillow reads directories in Python, and makes an object of each strip or tile.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from webapp.imaging.errors import TooCostly

MAX_FIELDS = 4_096
"""A classic TIFF may have 65,535 and a BigTIFF any number; programs write some fifty."""
MAX_STRIPS = 100_000
"""Strips or tiles: four colours with a strip for each of 20,000 rows are 80,000."""

_STARTS = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+")
_STRIP_OFFSETS, _TILE_OFFSETS = 273, 324


def check_directory(data: bytes) -> None:
    """Refuse a TIFF of more fields, strips or tiles than any program writes.

    Args:
        data: A whole file; one of another format, or that ends before its directory does, passes.

    Raises:
        TooCostly: It has more than `MAX_FIELDS` or `MAX_STRIPS`.
    """
    if not data.startswith(_STARTS):
        return
    try:
        for tag, count in _fields(data):
            if tag in (_STRIP_OFFSETS, _TILE_OFFSETS) and count > MAX_STRIPS:
                raise TooCostly(f"The TIFF has over {MAX_STRIPS:,} strips or tiles.")
    # What is wrong with it is for its decoder to say.
    except struct.error:
        pass


def _fields(data: bytes) -> Iterator[tuple[int, int]]:
    """Gives the tag of each field and how many values it has."""
    order = "<" if data.startswith(b"II") else ">"
    # A BigTIFF of the other byte order is not known to Pillow.
    offset, number, field = ("8xQ", "Q", "HHQ8x") if data[2] == 43 else ("4xL", "H", "HHL4x")
    [place] = struct.unpack_from(order + offset, data)
    [fields] = struct.unpack_from(order + number, data, place)
    if fields > MAX_FIELDS:
        raise TooCostly(f"The TIFF has over {MAX_FIELDS:,} fields: no program writes that.")
    place += struct.calcsize(order + number)
    size = struct.calcsize(order + field)
    for start in range(place, place + fields * size, size):
        tag, _, count = struct.unpack_from(order + field, data, start)
        yield tag, count
