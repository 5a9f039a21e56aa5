"""Which gRPC calls may hold a thread and memory.

So many at once, so many bytes together, and none for a message that never comes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from serving.concurrency import ByteBudget
from serving.local.errors import Code, StatusError
from serving.local.grpc.parsing import parsed

EXHAUSTED = "Server Threadpool Exhausted"
NO_ROOM = "Other calls hold the memory for messages. Try again."
SLOW_SECONDS = 2.0
"""A call whose message takes longer loses its place as soon as another call needs one."""


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
            StatusError: all places are taken, as the recorded server says it too (742), no room
                is left for the message, or the client sends none.
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
