"""The gRPC skin's listening half: which method is which answer, errors to codes, deadlines.

Handlers are registered under TensorFlow Serving's method names by hand, since our messages live in
a proto package of our own.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from serving.local.errors import Code, StatusError
from serving.local.grpc_answers import Answer
from serving.local.grpc_health import Health
from serving.wire import methods
from serving.wire import operations_pb2 as operations

log = logging.getLogger(__name__)

MAX_SECONDS = 24 * 3600
EXHAUSTED = "Server Threadpool Exhausted"
MAX_WATCHERS = 16
"""Streams of the health service; each holds a thread for as long as its client likes."""

_REFUSERS = 4
"""Threads beyond those that answer, so that a call too many is refused at once."""


class GrpcServer:
    """Listens for gRPC calls."""

    def __init__(
        self,
        host: str,
        port: int,
        answers: Mapping[str, Answer],
        *,
        threads: int,
        health: Health | None = None,
    ) -> None:
        """Binds the port.

        Args:
            host: address to listen on.
            port: where to listen.
            answers: how to answer each method.
            threads: calls at once; one more is refused with `RESOURCE_EXHAUSTED`, as recorded.
            health: answers the health service, where that is wanted.

        Raises:
            RuntimeError: the port is taken.
        """
        workers = threads + MAX_WATCHERS + _REFUSERS
        pool = futures.ThreadPoolExecutor(workers, thread_name_prefix="gRPC")
        options = [*methods.UNLIMITED_MESSAGES, ("grpc.so_reuseport", 0)]
        self._health = health
        handler = _Methods(answers, health, threading.BoundedSemaphore(threads))
        self._server = grpc.server(pool, [handler], options=options)
        self._server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    def start(self) -> None:
        """Starts to answer."""
        self._server.start()

    def stop(self, grace_seconds: float) -> None:
        """Refuses new calls and waits for those under way."""
        if self._health is not None:
            self._health.leave()
        self._server.stop(grace_seconds).wait(grace_seconds + 1)


class _Methods(grpc.GenericRpcHandler):
    def __init__(
        self,
        answers: Mapping[str, Answer],
        health: Health | None,
        room: threading.BoundedSemaphore,
    ) -> None:
        self._answers = answers
        self._health = health
        self._room = room
        self._room_to_watch = threading.BoundedSemaphore(MAX_WATCHERS)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        if details.method in self._answers:
            return _unary(self._answers[details.method], self._room)
        if self._health is not None and details.method == methods.HEALTH_CHECK:
            check = self._health.check
            answer = Answer(operations.HealthCheckRequest, lambda request, _: check(request))
            return _unary(answer, self._room)
        if self._health is not None and details.method == methods.HEALTH_WATCH:
            return _stream(self._health, self._room_to_watch)
        return grpc.unary_unary_rpc_method_handler(_unimplemented)


def _unary(answer: Answer, room: threading.BoundedSemaphore) -> grpc.RpcMethodHandler[Any, Any]:
    """Wraps an answer: decodes the request and maps errors, once for all methods."""

    def behaviour(data: bytes, context: grpc.ServicerContext) -> Message:
        try:
            with _a_place(room):
                return answer.give(answer.request_type.FromString(data), _timeout_ms(context))
        except StatusError as error:
            context.abort(grpc.StatusCode[error.code.name], error.message)
        except DecodeError:
            context.abort(grpc.StatusCode.INTERNAL, "")
        except Exception as error:
            log.exception("A gRPC call failed")
            context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")

    return grpc.unary_unary_rpc_method_handler(behaviour, response_serializer=_serialize)


def _stream(health: Health, room: threading.BoundedSemaphore) -> grpc.RpcMethodHandler[Any, Any]:
    def behaviour(data: bytes, context: grpc.ServicerContext) -> Iterator[Message]:
        try:
            with _a_place(room):
                request = operations.HealthCheckRequest.FromString(data)
                yield from health.watch(request, context.is_active)
        except StatusError as error:
            context.abort(grpc.StatusCode[error.code.name], error.message)

    return grpc.unary_stream_rpc_method_handler(behaviour, response_serializer=_serialize)


@contextmanager
def _a_place(room: threading.BoundedSemaphore) -> Iterator[None]:
    """Holds one of the places of calls at once.

    Raises:
        StatusError: none is free. The recorded server refuses too, and clients must expect it.
    """
    if not room.acquire(blocking=False):
        raise StatusError(Code.RESOURCE_EXHAUSTED, EXHAUSTED)
    try:
        yield
    finally:
        room.release()


def _serialize(reply: Message) -> bytes:
    return reply.SerializeToString()


def _unimplemented(_data: bytes, context: grpc.ServicerContext) -> Message:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "")


def _timeout_ms(context: grpc.ServicerContext) -> int:
    remaining = context.time_remaining()
    if remaining is None:
        return 0
    if remaining <= 0:
        raise StatusError(Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
    return math.ceil(1000 * min(remaining, MAX_SECONDS))
