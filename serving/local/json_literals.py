"""Numbers and words in JSON text, as RapidJSON 1.1 reads them, and how it reports a fault.

What is too big follows from the digits and the exponent, not from the value: `0e309` is refused,
`2e308` is infinite. After `NaN`, `Inf` and `Infinity` a fraction and an exponent may follow, and
then count as after a 0 (`GenericReader::ParseNumber` in `reader.h`).
"""

from __future__ import annotations

import math
import re

from serving.local.errors import StatusError, invalid_argument

MAX_EXPONENT = 308
LONGEST = 309
"""Digits from which on an integer may be too big."""

_EXACT = 2**53 - 1
_SHORT = 16
"""Letters of a number without an exponent up to which it is read exactly."""
_TENTH_OF_MAX = 1.7976931348623157e307
_COUNTED = 17
"""Digits of a number, one before its point aside, up to which its fraction is read at all."""

_WHOLE = re.compile(rb"-?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(rb"\.([0-9]*)")
_EXPONENT = re.compile(rb"[eE](?:\+|(-))?([0-9]*)")
_TOO_BIG = "Number too big to be stored in double."


def parse_error(message: str, offset: int) -> StatusError:
    """A fault in the text, and at which of its bytes."""
    return invalid_argument(f"JSON Parse error: {message} at offset: {offset}")


def expect(word: bytes, text: bytes, at: int) -> int:
    """Where a word that must follow ends; raises at the first byte that differs."""
    end = _along(word, text, at)
    if end < at + len(word):
        raise parse_error("Invalid value.", end)
    return end


def _along(word: bytes, text: bytes, at: int) -> int:
    """How far the text is the word."""
    for letter in word:
        if text[at : at + 1] != bytes([letter]):
            return at
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
        return _word(text, start)
    digits = whole.group().lstrip(b"-")
    if _is_too_big(digits):
        raise parse_error(_TOO_BIG, start)
    end = _after(digits, text, start, whole.end())
    if end == whole.end():
        return int(whole.group()), end
    return float(text[start:end]), end


def _is_too_big(digits: bytes) -> bool:
    """Whether an integer is; looked at before its last digit is read."""
    return len(digits) > LONGEST or float(b"0" + digits[:-1]) >= _TENTH_OF_MAX


def _after(digits: bytes, text: bytes, start: int, at: int) -> int:
    """Where the fraction and the exponent that may follow a number's digits end."""
    fraction, at = _fraction(text, at)
    exponent, at = _exponent(text, at)
    if exponent > MAX_EXPONENT + _counted(digits, fraction):
        raise parse_error(_TOO_BIG, start)
    return at


def _counted(digits: bytes, fraction: bytes) -> int:
    """How many digits of a fraction are read; those that follow are passed over."""
    zeros = len(fraction) - len(fraction.lstrip(b"0")) if digits == b"0" else 0
    return max(0, min(len(fraction), zeros + _COUNTED + 1 - len(digits)))


def _fraction(text: bytes, at: int) -> tuple[bytes, int]:
    """The digits that follow the point, and where they end."""
    match = _FRACTION.match(text, at)
    if match is None:
        return b"", at
    if not match.group(1):
        raise parse_error("Miss fraction part in number.", match.end())
    return match.group(1), match.end()


def _exponent(text: bytes, at: int) -> tuple[int, int]:
    match = _EXPONENT.match(text, at)
    if match is None:
        return 0, at
    sign, digits = match.groups()
    if not digits:
        raise parse_error("Miss exponent in number.", match.end())
    # Ten digits say enough, and `int` refuses thousands.
    size = int((digits.lstrip(b"0") or b"0")[:10])
    return (-size if sign else size), match.end()


def _word(text: bytes, start: int) -> tuple[float, int]:
    sign = text[start : start + 1] if text[start : start + 1] == b"-" else b""
    number, end = _named(text, start + len(sign))
    after = _after(b"0", text, start, end)
    if after > end:
        return float(sign + b"0" + text[end:after]), after
    return (-number if sign else number), end


def _named(text: bytes, start: int) -> tuple[float, int]:
    """Not a number or infinity; a word that begins as the one may go on as the other (`NaInf`)."""
    at = _along(b"NaN", text, start)
    if at == start + len(b"NaN"):
        return math.nan, at
    at = expect(b"Inf", text, at)
    if text[at : at + 1] == b"i":
        at = expect(b"inity", text, at)
    return math.inf, at


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
