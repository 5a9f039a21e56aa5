"""A collector of OpenTelemetry spans: receives OTLP over HTTP, and keeps the spans."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.servers import wait_until


class Span(NamedTuple):
    """A span that was sent; ids in hex, `parent` empty for the root span of a trace."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    failed: bool


class Collector:
    """Listens on a free port within a `with` block."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        kept = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                kept.extend(_spans(ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def of_trace(self, trace: str, services: set[str], seconds: float = 30) -> list[Span]:
        """Returns the spans of a trace, once each of the services has sent one."""
        for _ in wait_until(f"spans of {services}", time.monotonic() + seconds):
            found = [span for span in self.spans if span.trace == trace]
            if services <= {span.service for span in found}:
                return found
        raise AssertionError

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _spans(sent: ExportTraceServiceRequest) -> list[Span]:
    found = []
    for resource in sent.resource_spans:
        told = {each.key: each.value.string_value for each in resource.resource.attributes}
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            values = {a.key: a.value.string_value or a.value.int_value for a in span.attributes}
            ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
            found.append(Span(told["service.name"], span.name, *ids, values, span.status.code == 2))
    return found
