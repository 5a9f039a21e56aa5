"""Strings in a `tensor_content`: all their lengths, as varints, then all their bytes.

The format is that of TensorFlow's `port::DecodeStringList`, in `tensor_coding.cc`.
"""

from __future__ import annotations

_VARINT32_BITS = 35
"""The bits of five bytes with seven bits each; 32 of these bits count."""


def decode(content: bytes, count: int) -> list[bytes]:
    """Splits a content into its strings.

    Raises:
        ValueError: the content does not hold exactly `count` strings.
    """
    lengths: list[int] = []
    at = 0
    for _ in range(count):
        length, at = _varint(content, at)
        lengths.append(length)
    if at + sum(lengths) != len(content):
        raise ValueError(f"{count} strings need {at + sum(lengths)} bytes, not {len(content)}.")
    strings: list[bytes] = []
    for length in lengths:
        strings.append(content[at : at + length])
        at += length
    return strings


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Returns a length, and the position after it."""
    number = 0
    for shift, byte in zip(range(0, _VARINT32_BITS, 7), content[at : at + 5], strict=False):
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return number & 0xFFFFFFFF, at
    raise ValueError("A length in a string tensor's content does not end.")
