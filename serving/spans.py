"""Sends OpenTelemetry spans to a collector by OTLP. Imported only if a collector is configured.

Variables of OpenTelemetry, such as `OTEL_TRACES_SAMPLER` and `OTEL_RESOURCE_ATTRIBUTES`, apply too.
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
    """Records the spans of one process; a separate thread sends them."""

    def __init__(self, collector: str, service: str) -> None:
        """Connects on the first export; an unreachable collector loses spans, never requests.

        Args:
            collector: URL such as `http://127.0.0.1:4318`.
            service: the `service.name` of all spans.
        """
        self._provider = TracerProvider(resource=Resource.create({"service.name": service}))
        exporter = OTLPSpanExporter(endpoint=collector.rstrip("/") + _PATH)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("us_bills")

    @contextmanager
    def of_request(
        self, name: str, headers: tracing.Headers, attributes: Mapping[str, str]
    ) -> Iterator[Span]:
        """Records a received request as a span, in the caller's trace if `headers` name one."""
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
        """Records a step of the current request as a span; calls in the block are part of it."""
        with self._tracer.start_as_current_span(name), tracing.carrying(_headers()):
            yield

    def close(self) -> None:
        """Sends the remaining spans, for some seconds at most."""
        self._provider.shutdown()


def _headers() -> tracing.Headers:
    """Returns the current span as trace headers."""
    found: dict[str, str] = {}
    _W3C.inject(found)
    return tuple(found.items())
