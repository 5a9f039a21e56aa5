"""The cost of reading a TIFF, checked in its first directory alone (TIFF 6.0, section 2).

Pillow reads directories in Python, and creates an object for each strip or tile.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from webapp.imaging.errors import TooCostly

MAX_FIELDS = 4_096
"""A classic TIFF may have 65,535 fields and a BigTIFF any number; programs write some fifty."""
MAX_STRIPS = 100_000
"""Strips or tiles: four colours with a strip for each of 20,000 rows are 80,000."""

_STARTS = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+")
_STRIP_OFFSETS, _TILE_OFFSETS = 273, 324


def check_directory(data: bytes) -> None:
    """Refuse a TIFF with more fields, strips or tiles than any program writes.

    Args:
        data: A whole file; a file in another format, or that ends within its directory, passes.

    Raises:
        TooCostly: It has more than `MAX_FIELDS` fields, or more than `MAX_STRIPS` strips or tiles.
    """
    if not data.startswith(_STARTS):
        return
    try:
        for tag, count in _fields(data):
            if tag in (_STRIP_OFFSETS, _TILE_OFFSETS) and count > MAX_STRIPS:
                raise TooCostly(f"The TIFF has over {MAX_STRIPS:,} strips or tiles.")
    # The directory is incomplete; the decoder will report that.
    except struct.error:
        pass


def _fields(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the tag of each field and its number of values."""
    order = "<" if data.startswith(b"II") else ">"
    # `data[2]` suffices: Pillow does not know a BigTIFF with the other byte order.
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
