"""Distinguishes a protobuf message that was cut off from one of another kind."""

from __future__ import annotations

from serving.wire.string_lists import varint


def is_truncated(data: bytes) -> bool:
    """Says whether a protobuf message ends in the middle of a field, as in a file that was cut off.

    TensorFlow Serving reports a cut file and other content differently (recorded cases 610, 617).
    """
    position = 0
    try:
        while position < len(data):
            key, position = varint(data, position)
            match key & 7:
                case 0:
                    _, position = varint(data, position)
                case 1:
                    position += 8
                case 2:
                    size, position = varint(data, position)
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
