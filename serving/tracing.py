"""Propagates the W3C `traceparent` of a request to the calls made on its behalf.

This module does not import OpenTelemetry and records no spans; `serving.spans` does both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Headers = tuple[tuple[str, str], ...]
"""`traceparent` and, if present, `tracestate`, as HTTP headers or gRPC metadata."""

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
# Later versions may append fields; `ff` is not a version (https://www.w3.org/TR/trace-context/).
_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    r"(?P<more>-[\x21-\x7e]{0,200})?"
)
_STATE = re.compile(r"[\x20-\x7e]{1,512}")

_carried: ContextVar[Headers] = ContextVar("trace of this request", default=())


def received(parent: object, state: object) -> Headers:
    """Returns the trace headers of a request; none if they are missing or malformed.

    Args:
        parent: the value of the request's `traceparent`, if any.
        state: the value of the request's `tracestate`, if any.
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
    """Returns the trace headers of the current request."""
    return _carried.get()


def carried_id() -> str | None:
    """Returns the current trace id, 32 hex digits, by which logs of all tiers are searched."""
    return next((value.split("-")[1] for name, value in carried() if name == TRACEPARENT), None)


@contextmanager
def carrying(headers: Headers) -> Iterator[None]:
    """Sets the trace headers that calls within the block carry."""
    token = _carried.set(headers)
    try:
        yield
    finally:
        _carried.reset(token)
