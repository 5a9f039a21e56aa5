"""Numbers and words in JSON text, as RapidJSON 1.1 reads them, and how it reports a fault.

What is too big follows from the exponent, not from the value: `0e309` is refused, `2e308` is
infinite.
"""

from __future__ import annotations

import math
import re

from serving.local.errors import StatusError, invalid_argument

MAX_EXPONENT = 308

_EXACT = 2**53 - 1
_SHORT = 16
"""Letters of a number without an exponent up to which it is read exactly."""

_WHOLE = re.compile(rb"-?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(rb"\.([0-9]*)")
_EXPONENT = re.compile(rb"[eE](?:\+|(-))?([0-9]*)")
_TOO_BIG = "Number too big to be stored in double."


def parse_error(message: str, offset: int) -> StatusError:
    """A fault in the text, and at which of its bytes."""
    return invalid_argument(f"JSON Parse error: {message} at offset: {offset}")


def expect(word: bytes, text: bytes, at: int) -> int:
    """Where a word that must follow ends; raises at the first byte that differs."""
    for letter in word:
        if text[at : at + 1] != bytes([letter]):
            raise parse_error("Invalid value.", at)
        at += 1
    return at


def read_number(text: bytes, start: int) -> tuple[int | float, int]:
    """Reads a number.

    Returns:
        A float where the text has a fraction or an exponent, else an integer of any size; and
        where it ends.

    Raises:
        StatusError: it is no number, or too big.
    """
    whole = _WHOLE.match(text, start)
    if whole is None:
        return _named(text, start)
    if float(whole.group()) in (float("inf"), float("-inf")):
        raise parse_error(_TOO_BIG, start)
    digits, at = _fraction(text, whole.end())
    exponent, end = _exponent(text, at)
    if exponent is not None and exponent > MAX_EXPONENT + digits:
        raise parse_error(_TOO_BIG, start)
    if end == whole.end():
        return int(whole.group()), end
    return float(text[start:end]), end


def _fraction(text: bytes, at: int) -> tuple[int, int]:
    """How many digits follow the point, and where they end."""
    match = _FRACTION.match(text, at)
    if match is None:
        return 0, at
    if not match.group(1):
        raise parse_error("Miss fraction part in number.", match.end())
    return len(match.group(1)), match.end()


def _exponent(text: bytes, at: int) -> tuple[int | None, int]:
    match = _EXPONENT.match(text, at)
    if match is None:
        return None, at
    sign, digits = match.groups()
    if not digits:
        raise parse_error("Miss exponent in number.", match.end())
    # Ten digits say enough, and `int` refuses thousands.
    size = int((digits.lstrip(b"0") or b"0")[:10])
    return (-size if sign else size), match.end()


def _named(text: bytes, at: int) -> tuple[float, int]:
    negative = text[at : at + 1] == b"-"
    at += negative
    if text[at : at + 1] == b"N":
        return float("nan"), expect(b"NaN", text, at)
    if text[at : at + 1] != b"I":
        raise parse_error("Invalid value.", at)
    at = expect(b"Inf", text, at)
    if text[at : at + 1] == b"i":
        at = expect(b"inity", text, at)
    return float("-inf" if negative else "inf"), at


def as_rapidjson_reads(value: float) -> float:
    """The double that RapidJSON's fast way makes of a double's shortest text.

    Beyond 15 digits it rounds more than once, and may be one or two units in the last place off;
    a reply with all 17 digits shows it.
    """
    text = repr(abs(value))
    if not math.isfinite(value) or (len(text) <= _SHORT and "e" not in text):
        return value
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    read: int | float = int(whole)
    for digit in fraction:
        # An integer as long as it is exact, then a double.
        read = (read if read <= _EXACT else float(read)) * 10 + int(digit)
    return math.copysign(_scaled(float(read), int(exponent or 0) - len(fraction)), value)


def _scaled(value: float, power: int) -> float:
    if power >= 0:
        return value * float(f"1e{power}")
    if power >= -MAX_EXPONENT:
        return value / float(f"1e{-power}")
    return value / float(f"1e{MAX_EXPONENT}") / float(f"1e{-power - MAX_EXPONENT}")
