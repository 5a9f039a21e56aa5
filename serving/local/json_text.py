"""JSON text to values, with the leniencies and the error texts of the original's RapidJSON.

Valid text goes through Python's C parser. What that refuses, and the few things that the two
judge differently, goes through a parser of our own, whose errors name the same byte offsets
(recorded cases 143 to 160).
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from serving.local.errors import StatusError, invalid_argument
from serving.local.json_literals import LONGEST, expect, parse_error, read_number
from serving.local.json_members import object_of, with_member

# Surrogate escapes (a first half alone is refused) and exponents that may exceed a double.
_JUDGED_DIFFERENTLY = re.compile(rb"\\u[dD][89a-fA-F]|[eE]\+?[0-9]{3}")
MAX_DEPTH = 200_000
"""The original overflows its stack somewhere beyond 20,000 lists, and takes 100,000 objects
(recorded cases 750 to 753)."""

# An integer that may exceed a double is sought as zeros, which takes a moment even in megabytes.
_TO_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_TOO_LONG = b"0" * LONGEST

_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX = re.compile(rb"[0-9a-fA-F]{4}")
_SPACE = b" \t\n\r"
_END = (b"", b"\0")
_ESCAPES = {b'"': '"', b"\\": "\\", b"/": "/", b"b": "\b", b"f": "\f",
            b"n": "\n", b"r": "\r", b"t": "\t"}  # fmt: skip
_LITERALS: dict[bytes, tuple[bytes, Any]] = {
    b"t": (b"true", True), b"f": (b"false", False), b"n": (b"null", None),
}  # fmt: skip


def parse(text: bytes) -> Any:
    """Parses a JSON document.

    Returns:
        The value; an object in which a key comes twice is a `Repeated`. Bytes that are not UTF-8
        are kept by `surrogateescape` (case 149).

    Raises:
        StatusError: `JSON Parse error: ...` with the byte offset.
    """
    if not text:
        raise invalid_argument("JSON Parse error: The document is empty")
    text = text.removeprefix(codecs.BOM_UTF8)
    if not _JUDGED_DIFFERENTLY.search(text) and _TOO_LONG not in text.translate(_TO_ZEROS):
        try:
            decoded = text.decode("utf-8", "surrogateescape")
            return json.loads(decoded, object_pairs_hook=object_of)
        except (ValueError, RecursionError):
            pass  # The parser below finds out what is wrong, and where.
    return _Parser(text).document()


class _Parser:
    """A parser without recursion, so deep nesting costs time in proportion to the text."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0

    def document(self) -> Any:
        if self._next() in _END:
            raise self._error("The document is empty.")
        value = self._value()
        if self._next() not in _END:
            raise self._error("The document root must not be followed by other values.")
        return value

    def _value(self) -> Any:
        open_: list[tuple[dict[str, Any] | list[Any], str]] = []
        while True:
            value, opened = self._begin()
            if opened:
                open_.append((value, self._name() if isinstance(value, dict) else ""))
                if len(open_) > MAX_DEPTH:
                    raise self._error(f"Nested deeper than {MAX_DEPTH} levels.")
                continue
            while open_:
                container, name = open_.pop()
                container = _with(container, name, value)
                if self._another(container):
                    named = isinstance(container, dict)
                    open_.append((container, self._name() if named else ""))
                    break
                value = container
            else:
                return value

    def _begin(self) -> tuple[Any, bool]:
        """Reads a scalar, an empty container, or the opening of a container with content."""
        first = self._next()
        if first in (b"{", b"["):
            self._at += 1
            empty: dict[str, Any] | list[Any] = {} if first == b"{" else []
            if self._next() != (b"}" if first == b"{" else b"]"):
                return empty, True
            self._at += 1
            return empty, False
        return self._scalar(first), False

    def _another(self, container: dict[str, Any] | list[Any]) -> bool:
        following = self._next()
        closing = b"}" if isinstance(container, dict) else b"]"
        if following not in (b",", closing):
            what = "an object member" if closing == b"}" else "an array element"
            raise self._error(f"Missing a comma or '{closing.decode()}' after {what}.")
        self._at += 1
        return following == b","

    def _name(self) -> str:
        if self._next() != b'"':
            raise self._error("Missing a name for object member.")
        name = self._string()
        if self._next() != b":":
            raise self._error("Missing a colon after a name of object member.")
        self._at += 1
        return name

    def _scalar(self, first: bytes) -> Any:
        if first == b'"':
            return self._string()
        if first in _LITERALS:
            word, value = _LITERALS[first]
            self._expect(word)
            return value
        return self._number()

    def _number(self) -> int | float:
        number, self._at = read_number(self._text, self._at)
        return number

    def _string(self) -> str:
        self._at += 1
        parts: list[str] = []
        while True:
            plain = _PLAIN.match(self._text, self._at)
            assert plain is not None  # noqa: S101 - the pattern matches the empty string
            self._at = plain.end()
            parts.append(plain.group().decode("utf-8", "surrogateescape"))
            if self._peek() == b'"':
                self._at += 1
                return "".join(parts)
            if self._peek() != b"\\":
                raise self._unfinished()
            parts.append(self._escape())

    def _unfinished(self) -> StatusError:
        if self._peek() in _END:
            return self._error("Missing a closing quotation mark in string.")
        return self._error("Invalid escape character in string.")

    def _escape(self) -> str:
        start = self._at
        kind = self._text[start + 1 : start + 2]
        self._at += 2
        if kind in _ESCAPES:
            return _ESCAPES[kind]
        if kind != b"u":
            raise self._error("Invalid escape character in string.", start)
        unit = self._hex(start)
        if not 0xD800 <= unit <= 0xDBFF:
            # A second half alone is taken, as three bytes that are no UTF-8.
            return chr(unit).encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
        if self._text[self._at : self._at + 2] != b"\\u":
            raise self._error("The surrogate pair in string is invalid.", start)
        self._at += 2
        low = self._hex(start)
        if not 0xDC00 <= low <= 0xDFFF:
            raise self._error("The surrogate pair in string is invalid.", start)
        return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))

    def _hex(self, start: int) -> int:
        digits = _HEX.match(self._text, self._at)
        if digits is None:
            raise self._error("Incorrect hex digit after \\u escape in string.", start)
        self._at = digits.end()
        return int(digits.group(), 16)

    def _expect(self, word: bytes) -> None:
        self._at = expect(word, self._text, self._at)

    def _next(self) -> bytes:
        """Skips white space; the byte that follows, empty at the end."""
        while (byte := self._peek()) and byte in _SPACE:
            self._at += 1
        return byte

    def _peek(self) -> bytes:
        return self._text[self._at : self._at + 1]

    def _error(self, message: str, at: int | None = None) -> StatusError:
        return parse_error(message, self._at if at is None else at)


def _with(
    container: dict[str, Any] | list[Any], name: str, value: Any
) -> dict[str, Any] | list[Any]:
    if isinstance(container, dict):
        return with_member(container, name, value)
    container.append(value)
    return container
