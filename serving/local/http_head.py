"""What comes before a body: the forms that the original's HTTP library takes.

It is stricter than Python's: one space between three words, a colon in every header, and in a
path only what RFC 3986 has a place for. Anything else gets its page for bad requests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_REQUEST_LINE = re.compile(rb"[^ \r\n]+ [^ \r\n]+ [^ \r\n]+\r?\n")
_FOLDED = (b" ", b"\t")
_AUTHORITY = re.compile(r"(https?:)?//[^/?#]*", re.IGNORECASE)
_UNFIT = re.compile(r"[^\w.~!$&'()*+,;=:@/?#%-]|%(?![0-9a-f]{2})|#.*#", re.ASCII | re.IGNORECASE)


class Target(NamedTuple):
    """What a request line asks for, and whether it asks as one asks a proxy."""

    path: str
    absolute: bool


def is_request_line(line: bytes) -> bool:
    """Whether a line has a method, a target and a version."""
    return _REQUEST_LINE.fullmatch(line) is not None


def are_headers(lines: Sequence[bytes]) -> bool:
    """Whether each line before the empty one is a header or goes on with the one before it."""
    return all(
        number > 0 if line.startswith(_FOLDED) else b":" in line
        for number, line in enumerate(lines)
        if line.strip(b"\r\n")
    )


def target(text: str) -> Target | None:
    """Reads a target; None where it is none.

    Args:
        text: a path, or a URL with or without its scheme, query and fragment included.
    """
    authority = _AUTHORITY.match(text)
    path = text[authority.end() :] if authority else text
    if _UNFIT.search(path):
        return None
    return Target(path, authority is not None and authority[1] is not None)
