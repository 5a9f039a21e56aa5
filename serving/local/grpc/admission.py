"""Limits the threads and the memory that gRPC calls hold.

There are limits on simultaneous calls, on the bytes of all messages, on the wait for a message, and
on its elements: an empty string or message in a repeated field is two bytes on the wire and 40 to
80 in memory, so that 15 MB took 309 MB and 0.6 s of processor time.
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
"""If a call's message takes longer, the call may be cancelled in favour of a new call."""

MAX_ELEMENTS = 100_000
"""Strings and messages that a large request may hold, at any depth."""
_LARGE_BYTES = 2**18

# Otherwise several large messages would be in memory before the first one is refused.
_one_large = threading.Lock()

_TEXTS = (9, 12)
"""`FieldDescriptor.TYPE_STRING` and `TYPE_BYTES`."""


class Admission:
    """Limits simultaneous calls, from before their message is read until they are answered."""

    def __init__(self, places: int, budget: ByteBudget) -> None:
        """Allows `places` calls; several instances may share a budget of bytes."""
        self._room = threading.BoundedSemaphore(places)
        self._budget = budget
        self._reading: dict[grpc.ServicerContext, float] = {}

    @contextmanager
    def request(
        self, request_type: Any, messages: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[Any]:
        """Reads a call's only message; the call holds a place and memory inside the block.

        Raises:
            StatusError: all places are taken, the message exceeds the budget or has too many
                elements, or the client sends no message.
            DecodeError: the bytes are not a message of that type.
            RpcError: the call ended before its message arrived.
        """
        self._enter()
        held = 0
        try:
            data = self._read(messages, context)
            # The same amount must stay free, so that a few large messages do not block small ones.
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
        """Cancels the call that has waited longest for a message, if over `SLOW_SECONDS`."""
        waiting = sorted(self._reading.copy().items(), key=lambda item: item[1])
        if not waiting or time.monotonic() - waiting[0][1] < SLOW_SECONDS:
            return False
        context, _ = waiting[0]
        self._reading.pop(context, None)
        context.cancel()
        return True


def parsed(request_type: Any, data: bytes) -> Any:
    """Parses a message; raises `DecodeError`, or `StatusError` beyond `MAX_ELEMENTS`."""
    if len(data) <= _LARGE_BYTES:
        return request_type.FromString(data)
    with _one_large:
        request = request_type.FromString(data)
        if any(total > MAX_ELEMENTS for total in accumulate(_counts(request))):
            text = f"Expected a request of at most {MAX_ELEMENTS} strings and messages."
            raise StatusError(Code.RESOURCE_EXHAUSTED, f"{text} Received: more.")
        return request


def _counts(message: Message) -> Iterator[int]:
    """Yields the number of elements of each field, before nested ones, so callers can stop early.

    Numbers are not counted, since they take the same memory as on the wire.
    """
    for field, value in message.ListFields():
        if field.message_type is None and not (field.is_repeated and field.type in _TEXTS):
            continue
        yield len(value) if field.is_repeated else 1
        parts = value if field.is_repeated else [value]
        for part in value.values() if isinstance(value, Mapping) else parts:
            if isinstance(part, Message):
                yield from _counts(part)
