"""Which gRPC calls may hold a thread and memory.

So many at once, so many bytes together, none for a message that never comes, and a bound on what a
message becomes: an empty string or message in a repeated field is two bytes on the wire and 40 to
80 in memory, so that 15 MB took 309 MB and 0.6 s of processor.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import grpc
from google.protobuf.message import Message

from serving.concurrency import ByteBudget
from serving.local.errors import Code, StatusError

EXHAUSTED = "Server Threadpool Exhausted"
NO_ROOM = "Other calls hold the memory for messages. Try again."
SLOW_SECONDS = 2.0
"""A call whose message takes longer loses its place as soon as another call needs one."""

MAX_ELEMENTS = 100_000
"""Strings and messages that a large request may hold, at any depth."""
_LARGE_BYTES = 2**18

# Else several would be in memory before the first one is refused.
_one_large = threading.Lock()

_TEXTS = (9, 12)
"""`FieldDescriptor.TYPE_STRING` and `TYPE_BYTES`."""


class Admission:
    """A number of places for calls, from before their message is read until they are answered."""

    def __init__(self, places: int, budget: ByteBudget) -> None:
        """Shares the bytes of a budget, which others may share too."""
        self._room = threading.BoundedSemaphore(places)
        self._budget = budget
        self._reading: dict[grpc.ServicerContext, float] = {}

    @contextmanager
    def request(
        self, request_type: Any, messages: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[Any]:
        """Reads a call's only message; the call holds a place and memory inside the block.

        Raises:
            StatusError: all places are taken, no room is left for the message, it holds too many
                elements, or the client sends none.
            DecodeError: the bytes are no message of that type.
            RpcError: the call ended before its message came.
        """
        self._enter()
        held = 0
        try:
            data = self._read(messages, context)
            # As much stays free as it takes, so a few large messages do not keep small ones out.
            if not self._budget.take(len(data), leave=len(data)):
                raise StatusError(Code.RESOURCE_EXHAUSTED, NO_ROOM)
            held = len(data)
            request = parsed(request_type, data)
            del data
            yield request
        finally:
            self._budget.give_back(held)
            self._room.release()

    def _enter(self) -> None:
        if self._room.acquire(blocking=False):
            return
        if not (self._end_slowest() and self._room.acquire(timeout=1)):
            raise StatusError(Code.RESOURCE_EXHAUSTED, EXHAUSTED)

    def _read(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        self._reading[context] = time.monotonic()
        try:
            return next(messages)
        except StopIteration:
            text = "The call requires exactly one request message."
            raise StatusError(Code.UNIMPLEMENTED, text) from None
        finally:
            self._reading.pop(context, None)

    def _end_slowest(self) -> bool:
        """Cancels the call that has waited longest for its message, if any waits for long."""
        waiting = sorted(self._reading.copy().items(), key=lambda item: item[1])
        if not waiting or time.monotonic() - waiting[0][1] < SLOW_SECONDS:
            return False
        context, _ = waiting[0]
        self._reading.pop(context, None)
        context.cancel()
        return True


def parsed(request_type: Any, data: bytes) -> Any:
    """Parses a message; `DecodeError` for other bytes, `StatusError` beyond `MAX_ELEMENTS`."""
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
