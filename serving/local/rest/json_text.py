"""Parses JSON text with the standard library's parser, within a memory limit.

As in TensorFlow Serving 2.20.0, `NaN` and `Infinity` are numbers, the first of duplicate names
counts, bytes that are not UTF-8 are kept, and text after the document is ignored.
"""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from serving.local.errors import invalid_argument
from serving.local.rest.request import HttpError, Request

MAX_VALUES_BYTES = 320 * 2**20
"""Memory that one document may take; sixteen pictures as floats take 220 MB."""

_SMALL_BYTES = 2**20
"""Largest text that is parsed without an estimate of its memory, which is 40 MB at most."""

_COSTS = {b"{": 240, b"[": 96, b",": 40, b":": 130, b'"': 32}
"""Bytes of memory for each of these characters in a text (CPython 3.11 to 3.13, 64 bits)."""

# The parser holds the GIL, so more simultaneous parsers would save no time and only take memory.
_SMALL_ONES = threading.Semaphore(4)
_ONE_LARGE = threading.Lock()

_DECODER = json.JSONDecoder(
    object_pairs_hook=lambda members: dict(reversed(members)),
    # Another type than `float`, which is infinite for numbers that are too big.
    parse_constant=np.float64,
)


@contextmanager
def parsed(request: Request) -> Iterator[Any]:
    """Parses a body, whose values may be used inside the block; the body is released after it.

    Raises `StatusError` with the offset of a syntax error or after the deadline, `HttpError` 413
    if the values would take more than `MAX_VALUES_BYTES`.
    """
    text = request.body.take()
    large = len(text) > _SMALL_BYTES
    if large and _cost(text) > MAX_VALUES_BYTES:
        raise HttpError(413, f"The JSON values take more than {MAX_VALUES_BYTES} bytes of memory.")
    with _ONE_LARGE if large else _SMALL_ONES:
        request.deadline.require()
        try:
            if large:
                # Millions of new lists trigger dozens of searches for cycles, which JSON lacks.
                gc.disable()
            yield _parse(text)
        finally:
            if large:
                gc.enable()
    request.body.release()


def _cost(text: bytearray) -> int:
    # One character above U+FFFF makes all characters of a string four bytes wide. The text is such
    # a string, and its longest value may be another one of nearly the same length.
    letters = 2 * len(text) * (1 if text.isascii() else 4)
    return letters + sum(cost * text.count(mark) for mark, cost in _COSTS.items())


def _parse(text: bytearray) -> Any:
    decoded = text.decode("utf-8", "surrogateescape").removeprefix("\ufeff").lstrip(" \t\r\n")
    text.clear()
    try:
        return _DECODER.raw_decode(decoded)[0]
    except RecursionError:
        reason = "The document is nested too deeply."
    except ValueError as error:
        reason = str(error)
    raise invalid_argument(f"JSON Parse error: {reason}")
