"""OpenTelemetry spans, sent to a collector by OTLP. Imported only where `US_BILLS_OTLP` names one.

Its own variables count too, such as `OTEL_TRACES_SAMPLER` and `OTEL_RESOURCE_ATTRIBUTES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serving import tracing

_PATH = "/v1/traces"
_W3C = TraceContextTextMapPropagator()


class Spans:
    """The spans of one process; a thread of its own sends them."""

    def __init__(self, collector: str, service: str) -> None:
        """Connects with the first spans; a collector that is away costs spans, never requests.

        Args:
            collector: URL such as `http://127.0.0.1:4318`.
            service: what the spans are shown under.
        """
        self._provider = TracerProvider(resource=Resource.create({"service.name": service}))
        exporter = OTLPSpanExporter(endpoint=collector.rstrip("/") + _PATH)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("us_bills")

    @contextmanager
    def of_request(
        self, name: str, headers: tracing.Headers, attributes: Mapping[str, str]
    ) -> Iterator[Span]:
        """A request that came in, part of the caller's trace where it brought one."""
        context = _W3C.extract(dict(headers))
        with (
            self._tracer.start_as_current_span(
                name, context=context, kind=SpanKind.SERVER, attributes=attributes
            ) as span,
            tracing.carrying(_headers()),
        ):
            yield span

    @contextmanager
    def of_stage(self, name: str) -> Iterator[None]:
        """A step of the request that this thread answers; what is asked within it belongs to it."""
        with self._tracer.start_as_current_span(name), tracing.carrying(_headers()):
            yield

    def close(self) -> None:
        """Sends what is left, for some seconds at most."""
        self._provider.shutdown()


def _headers() -> tracing.Headers:
    """The current span as headers."""
    found: dict[str, str] = {}
    _W3C.inject(found)
    return tuple(found.items())
