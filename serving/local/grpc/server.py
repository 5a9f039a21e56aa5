"""Listens for gRPC calls: maps methods to answers and errors to codes, and reads deadlines.

Handlers are registered under TensorFlow Serving's method names by hand, since our messages live in
a separate proto package. All of them are streaming handlers, which is the same on the wire and lets
`admission` read the message.
"""

from __future__ import annotations

import logging
import math
import resource
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from serving import tracing
from serving.concurrency import ByteBudget
from serving.local.deadline import Deadline
from serving.local.errors import StatusError, not_found
from serving.local.grpc.admission import Admission
from serving.local.grpc.answers import Answer, Caller
from serving.local.settings import Settings
from serving.local.threads import StartedPool
from serving.wire import methods

if TYPE_CHECKING:
    from serving.spans import Spans

log = logging.getLogger(__name__)

MAX_WATCHERS = 16
"""Simultaneous streams of the health service; each holds a thread until its client ends it."""
WATCH_SECONDS = 0.25
"""Seconds between two looks of such a stream at the health that it reports."""
MAX_CHECKS = 16
"""Simultaneous health checks: probes that come together must all hear that the server is well."""
BUDGET_MESSAGES = 16
"""The memory budget of all calls, as a multiple of the largest message."""

HEALTH_SERVICES = ("", "PredictionService", "ModelService")

_MAX_TEXT_BYTES = 2000
OTHER_MESSAGE = "The request is not the method's message."

_REFUSERS = 4
"""Extra threads, which refuse calls beyond the limit immediately."""

_BOUNDS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 256),
    # Close connections that send no HTTP/2, have no calls, or whose client has disappeared.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 600_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]

Traced: TypeAlias = Callable[[grpc.ServicerContext], AbstractContextManager[Any]]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class GrpcServer:
    """Listens for gRPC calls."""

    def __init__(
        self,
        settings: Settings,
        answers: Mapping[str, Answer],
        serves: Callable[[str], bool | None],
        credentials: grpc.ServerCredentials | None = None,
        spans: Spans | None = None,
    ) -> None:
        """Binds the port, without TLS if there are no `credentials`; `spans` records the calls.

        `serves` returns whether a model of that name is served, None for an unknown name; it
        answers health checks. Raises `RuntimeError` if the port is taken or a thread cannot start.
        """
        self._stopping = threading.Event()
        self._serves = serves
        self._spans = spans
        # gRPC's own thread would end for good if it failed to start a thread of its pool.
        health = MAX_WATCHERS + MAX_CHECKS
        pool = StartedPool(settings.grpc_max_threads + health + _REFUSERS, "gRPC")
        self._server = grpc.server(
            cast("futures.ThreadPoolExecutor", pool),
            [_Methods(self._handlers(settings, answers))],
            options=_options(settings),
        )
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"{host}:{settings.port}"
        if credentials is None:
            self._server.add_insecure_port(address)
        else:
            self._server.add_secure_port(address, credentials)

    def start(self) -> None:
        """Starts to answer calls."""
        self._server.start()

    def stop(self, grace_seconds: float) -> None:
        """Refuses new calls and waits for running ones."""
        self._stopping.set()
        self._server.stop(grace_seconds).wait(grace_seconds + 1)

    def _handlers(self, settings: Settings, answers: Mapping[str, Answer]) -> dict[str, Handler]:
        budget = ByteBudget(BUDGET_MESSAGES * settings.grpc_max_message_bytes)
        calls = Admission(settings.grpc_max_threads, budget)
        handlers = {
            method: _unary(answer, calls, _span(self._spans, method))
            for method, answer in answers.items()
        }
        if settings.enable_grpc_healthcheck_service:
            check = Answer(HealthCheckRequest, self._check)
            handlers[methods.HEALTH_CHECK] = _unary(check, Admission(MAX_CHECKS, budget))
            handlers[methods.HEALTH_WATCH] = self._watch(Admission(MAX_WATCHERS, budget))
        return handlers

    def _check(self, request: HealthCheckRequest, _caller: Caller) -> HealthCheckResponse:
        health = self._health(request.service)
        if health.status == HealthCheckResponse.SERVICE_UNKNOWN:
            raise not_found(f"service name unknown: {request.service!r}")
        return health

    def _watch(self, calls: Admission) -> Handler:
        """Returns a handler that sends a service's health when it changes, until the end."""

        def states(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Message]:
            with _codes(context), calls.request(HealthCheckRequest, messages, context) as request:
                before, last = None, False
                while context.is_active() and not last:
                    last = self._stopping.is_set()
                    health = self._health(request.service)
                    if health != before:
                        yield health
                    before = health
                    self._stopping.wait(WATCH_SECONDS)

        return grpc.stream_stream_rpc_method_handler(states, response_serializer=_serialize)

    def _health(self, service: str) -> HealthCheckResponse:
        serves = service in HEALTH_SERVICES or self._serves(service)
        if serves is None:
            return HealthCheckResponse(status="SERVICE_UNKNOWN")
        well = serves and not self._stopping.is_set()
        return HealthCheckResponse(status="SERVING" if well else "NOT_SERVING")


def _options(settings: Settings) -> list[tuple[str, int]]:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [
        *_BOUNDS,
        ("grpc.max_receive_message_length", settings.grpc_max_message_bytes),
        # REST may use half of the file descriptors; a quarter is left for loading versions.
        ("grpc.max_allowed_incoming_connections", files // 4),
    ]


class _Methods(grpc.GenericRpcHandler):
    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    def service(self, details: grpc.HandlerCallDetails) -> Handler | None:
        return self._handlers.get(details.method)


def _unary(answer: Answer, calls: Admission, traced: Traced = nullcontext) -> Handler:
    def behaviour(messages: Iterator[bytes], context: grpc.ServicerContext) -> Message:
        with (
            _codes(context),
            traced(context),
            calls.request(answer.request_type, messages, context) as request,
        ):
            return answer.give(request, _caller(context))

    return grpc.stream_unary_rpc_method_handler(behaviour, response_serializer=_serialize)


def _span(spans: Spans | None, method: str) -> Traced:
    """Returns a context that records a call as a span of the trace that its metadata names."""
    if spans is None:
        return nullcontext
    about = {"rpc.system": "grpc", "rpc.method": method.rpartition("/")[2]}

    def traced(context: grpc.ServicerContext) -> AbstractContextManager[Any]:
        sent = dict(context.invocation_metadata())
        headers = tracing.received(sent.get(tracing.TRACEPARENT), sent.get(tracing.TRACESTATE))
        return spans.of_request(method.lstrip("/"), headers, about)

    return traced


@contextmanager
def _codes(context: grpc.ServicerContext) -> Iterator[None]:
    """Aborts a failed call with a status code: the only place where errors become codes."""
    try:
        yield
    except DecodeError:
        context.abort(grpc.StatusCode.INTERNAL, OTHER_MESSAGE)
    except grpc.RpcError:
        raise
    except Exception as error:
        if not isinstance(error, StatusError):
            log.exception("A gRPC call failed")
        known = StatusError.of(error)
        context.abort(grpc.StatusCode[known.code.name], _shortened(known.message))


def _shortened(text: str) -> str:
    """Cuts a text, which may quote the request: it is sent percent-encoded, three bytes for one.

    Clients accept 8 kB of such metadata.
    """
    encoded = text.encode("utf-8", "replace")
    start = encoded[:_MAX_TEXT_BYTES].decode("utf-8", "ignore")
    return start if len(encoded) <= _MAX_TEXT_BYTES else f"{start}..."


def _serialize(reply: Message) -> bytes:
    return reply.SerializeToString()


def _caller(context: grpc.ServicerContext) -> Caller:
    """Returns the client; raises `StatusError` if its deadline is over or it has disconnected."""
    left = context.time_remaining()
    end = math.inf if left is None else time.monotonic() + left
    deadline = Deadline(end, lambda: not context.is_active())
    deadline.require()
    return Caller(deadline, context.peer())
