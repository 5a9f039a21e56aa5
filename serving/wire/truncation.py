"""Distinguishes a protobuf message that was cut off from one of another kind."""

from __future__ import annotations

import contextlib


def is_truncated(data: bytes) -> bool:
    """Says whether a protobuf message ends in the middle of a field, as in a file that was cut off.

    TensorFlow Serving reports a cut file and other content differently (recorded cases 610, 617).
    """
    position = 0
    with contextlib.suppress(IndexError):
        while position < len(data):
            key, position = _varint(data, position)
            match key & 7:
                case 0:
                    _, position = _varint(data, position)
                case 1:
                    position += 8
                case 2:
                    size, position = _varint(data, position)
                    position += size
                case 5:
                    position += 4
                case _:
                    return False
        return position > len(data)
    return True


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while data[position] & 0x80:
        value |= (data[position] & 0x7F) << shift
        position, shift = position + 1, shift + 7
    return value | data[position] << shift, position + 1
