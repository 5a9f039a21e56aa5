"""Distinguishes a protobuf message that was cut off from one of another kind."""

from __future__ import annotations


def is_truncated(data: bytes) -> bool:
    """Says whether a protobuf message ends in the middle of a field, as in a file that was cut off.

    TensorFlow Serving reports a cut file and other content differently (recorded cases 610, 617).
    """
    position = 0
    try:
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
    except IndexError:
        return True
    except ValueError:
        return False
    return position > len(data)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Returns the number at a position and the position after it.

    Raises:
        IndexError: the data ends within the number.
        ValueError: the number has more than ten bytes, so the data is no message.
    """
    value = 0
    for place in range(10):
        byte = data[position + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, position + place + 1
    raise ValueError("Expected a number of at most ten bytes.")
