"""Numbers and strings as the original writes them in JSON (recorded cases 038 to 047).

What an error quotes is written by RapidJSON 1.1 itself, which knows no single floats and stops at
the first number that is not finite; only a number that is quoted alone is written as in a reply.
"""

from __future__ import annotations

import contextlib
import json
import math
import struct
from decimal import Decimal
from typing import Any

from serving.local.json_members import members_of

INDENT = "    "

_FLOAT32 = struct.Struct("<f")
_FLOAT32_MAX = 3.4028234e38
_INTEGERS = range(-(2**63), 2**64)
_PLAIN_POINTS = range(-5, 22)
"""Where a number's point may be, counted from its first digit, without an exponent."""

_ESCAPES = {code: f"\\u{code:04X}" for code in range(0x20)} | {
    ord("\b"): "\\b", ord("\f"): "\\f", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t",
    ord('"'): '\\"', ord("\\"): "\\\\",
}  # fmt: skip


def float32_text(value: float) -> str:
    """A float32: six significant digits where they suffice, else nine; `1.0`, `NaN`."""
    return _decimal(value, f"{value:.6g}", f"{value:.9g}", single=True)


def float64_text(value: float) -> str:
    """A float64: six significant digits where they suffice, else seventeen."""
    return _decimal(value, f"{value:.6g}", f"{value:.17g}", single=False)


def string_text(value: bytes) -> str:
    """A JSON string; bytes that are not UTF-8 pass through (recorded case 026)."""
    return quoted(value.decode("utf-8", "surrogateescape"))


def quoted(text: str) -> str:
    """A JSON string; the hexadecimal digits of control characters are upper case."""
    plain = json.dumps(text, ensure_ascii=False)
    return f'"{text.translate(_ESCAPES)}"' if "\\u00" in plain else plain


def is_double(value: Any) -> bool:
    """Whether RapidJSON keeps a number as a double: with a fraction, or beyond 64 bits."""
    return isinstance(value, float) or (type(value) is int and value not in _INTEGERS)


def value_text(value: Any) -> str:
    """A JSON value as error messages quote it."""
    if is_double(value):
        number = float(value)
        single = -_FLOAT32_MAX <= number <= _FLOAT32_MAX
        return float32_text(_rounded(number)) if single else float64_text(number)
    parts: list[str] = []
    with contextlib.suppress(_NotFiniteError):
        _write(value, f"\n{INDENT}", parts)
    return "".join(parts)


class _NotFiniteError(Exception):
    """A number that cannot be written ends the text."""


def _rounded(number: float) -> float:
    """The nearest single float; raises `OverflowError` where there is none."""
    return float(_FLOAT32.unpack(_FLOAT32.pack(number))[0])


def _write(value: Any, line: str, parts: list[str]) -> None:
    """Appends a value's text; `line` begins the lines of what it contains."""
    if isinstance(value, (dict, list)) and value:
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        parts.append(opening)
        items = members_of(value) if isinstance(value, dict) else ((None, item) for item in value)
        for number, (name, item) in enumerate(items):
            parts.append(f",{line}" if number else line)
            if name is not None:
                parts.append(f"{quoted(name)}: ")
            _write(item, line + INDENT, parts)
        parts.append(line[: -len(INDENT)] + closing)
    elif is_double(value):
        parts.append(_double_text(float(value)))
    else:
        parts.append(quoted(value) if isinstance(value, str) else json.dumps(value))


def _double_text(value: float) -> str:
    """As few digits as read back; an exponent only where the point is far from them."""
    if not math.isfinite(value):
        raise _NotFiniteError
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, minus = "".join(map(str, digits)), "-" * sign
    point = len(text) + int(exponent)
    if not value:
        return f"{minus}0.0"
    if point not in _PLAIN_POINTS:
        fraction = f".{text[1:]}" if text[1:] else ""
        return f"{minus}{text[0]}{fraction}e{point - 1}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    return f"{minus}{text[:point].ljust(point, '0')}.{text[point:] or '0'}"


def _decimal(value: float, short: str, long: str, *, single: bool) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = short if _reads_back(short, value, single) else long
    return text if "." in text or "e" in text else f"{text}.0"


def _reads_back(text: str, value: float, single: bool) -> bool:
    read = float(text)
    if not single:
        return read == value
    try:
        return _rounded(read) == value
    except OverflowError:
        return False
