"""Strings in a `tensor_content`: all their lengths, as varints, then all their bytes.

The format is that of TensorFlow's `port::DecodeStringList`, in `tensor_coding.cc`.
"""

from __future__ import annotations

_LENGTH_BYTES = 5
"""The longest varint of a length; 32 of its bits count."""


def decode(content: bytes, count: int) -> list[bytes]:
    """Splits a content into its strings.

    Raises:
        ValueError: the content does not hold exactly `count` strings.
    """
    lengths: list[int] = []
    at = 0
    for _ in range(count):
        try:
            length, at = varint(content, at, _LENGTH_BYTES)
        except (IndexError, ValueError) as error:
            raise ValueError("A length in a string tensor's content does not end.") from error
        lengths.append(length & 0xFFFFFFFF)
    if at + sum(lengths) != len(content):
        raise ValueError(f"{count} strings need {at + sum(lengths)} bytes, not {len(content)}.")
    strings: list[bytes] = []
    for length in lengths:
        strings.append(content[at : at + length])
        at += length
    return strings


def varint(data: bytes, position: int, most: int = 10) -> tuple[int, int]:
    """Returns the number at a position and the position after it.

    Raises:
        IndexError: the data ends within the number.
        ValueError: the number has more than `most` bytes.
    """
    value = 0
    for place in range(most):
        byte = data[position + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, position + place + 1
    raise ValueError(f"Expected a number of at most {most} bytes.")
