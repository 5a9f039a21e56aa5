"""Traces: the W3C `traceparent` of a request, carried to whatever is asked on its behalf.

Without OpenTelemetry nothing is added to it and nothing of it is imported; `serving.spans` is for
those who collect spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Headers = tuple[tuple[str, str], ...]
"""`traceparent` and, where there is one, `tracestate`, as headers of HTTP or metadata of gRPC."""

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
# Later versions may add fields behind; `ff` is none (https://www.w3.org/TR/trace-context/).
_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    r"(?P<more>-[\x21-\x7e]{0,200})?"
)
_STATE = re.compile(r"[\x20-\x7e]{1,512}")

_carried: ContextVar[Headers] = ContextVar("trace of this request", default=())


def received(parent: object, state: object) -> Headers:
    """The trace that came with a request; nothing where there is none, or a malformed one.

    Args:
        parent: the value of its `traceparent`, if any.
        state: the value of its `tracestate`, if any.
    """
    if not isinstance(parent, str):
        return ()
    found = _PARENT.fullmatch(parent)
    if found is None or (parent.startswith("00") and found["more"] is not None):
        return ()
    ours = ((TRACEPARENT, parent),)
    if isinstance(state, str) and _STATE.fullmatch(state):
        return (*ours, (TRACESTATE, state))
    return ours


def carried() -> Headers:
    """The trace of what this thread is doing."""
    return _carried.get()


def carried_id() -> str | None:
    """Its id, 32 digits in hex, by which logs of all tiers are searched."""
    return next((value.split("-")[1] for name, value in carried() if name == TRACEPARENT), None)


@contextmanager
def carrying(headers: Headers) -> Iterator[None]:
    """Has calls within the block carry a trace."""
    token = _carried.set(headers)
    try:
        yield
    finally:
        _carried.reset(token)
