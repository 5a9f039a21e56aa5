"""Numbers and strings as the original writes them in JSON (recorded cases 038 to 047)."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

_FLOAT32 = struct.Struct("<f")


def float32_text(value: float) -> str:
    """A float32: six significant digits where they suffice, else nine; `1.0`, `NaN`."""
    return _decimal(value, f"{value:.6g}", f"{value:.9g}", single=True)


def float64_text(value: float) -> str:
    """A float64: six significant digits where they suffice, else seventeen."""
    return _decimal(value, f"{value:.6g}", f"{value:.17g}", single=False)


def string_text(value: bytes) -> str:
    """A JSON string; bytes that are not UTF-8 pass through (recorded case 026)."""
    return json.dumps(value.decode("utf-8", "surrogateescape"), ensure_ascii=False)


def value_text(value: Any) -> str:
    """A JSON value as error messages quote it."""
    if isinstance(value, float):
        return float64_text(value)
    return json.dumps(value, indent=4, ensure_ascii=False)


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
        return bool(_FLOAT32.unpack(_FLOAT32.pack(read))[0] == value)
    except OverflowError:
        return False
