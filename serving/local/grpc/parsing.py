"""Bytes to a request, within a bound of what they become.

An empty string or message in a repeated field is two bytes on the wire and 40 to 80 in memory: a
message of 15 MB took 309 MB and 0.6 s of processor.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from google.protobuf.message import Message

from serving.local.errors import Code, StatusError

MAX_ELEMENTS = 100_000
"""Strings and messages that a large request may hold, at any depth."""
_LARGE_BYTES = 2**18

# Else several would be in memory before the first one is refused.
_one_large = threading.Lock()


def parsed(request_type: Any, data: bytes) -> Any:
    """Parses a message.

    Raises:
        DecodeError: the bytes are not the message's.
        StatusError: it holds more than `MAX_ELEMENTS`.
    """
    if len(data) <= _LARGE_BYTES:
        return request_type.FromString(data)
    with _one_large:
        request = request_type.FromString(data)
        if any(total > MAX_ELEMENTS for total in accumulate(_counts(request))):
            text = f"Expected a request of at most {MAX_ELEMENTS} strings and messages."
            raise StatusError(Code.RESOURCE_EXHAUSTED, f"{text} Received: more.")
        return request


def _counts(message: Message) -> Iterator[int]:
    """The elements of each field, before those within them, so that counting can stop early.

    Numbers are none: they take the memory that they take on the wire.
    """
    for field, value in message.ListFields():
        if field.message_type is None and not (field.is_repeated and field.type in _TEXTS):
            continue
        yield len(value) if field.is_repeated else 1
        parts = value if field.is_repeated else [value]
        for part in value.values() if isinstance(value, Mapping) else parts:
            if isinstance(part, Message):
                yield from _counts(part)


_TEXTS = (9, 12)
"""`FieldDescriptor.TYPE_STRING` and `TYPE_BYTES`."""
