"""Continues the trace of each request from its `traceparent`; sends spans if a collector is set."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from serving import tracing
from webapp.settings import Settings
from webapp.timings import Timings

if TYPE_CHECKING:
    from opentelemetry.trace import StatusCode

    from serving.spans import Spans

_SERVICE = "us-bills-web"


def init_app(app: Flask) -> None:
    """Continue the trace of every request of `app`; set `spans` in its `extensions`, or None."""
    settings: Settings = app.extensions["settings"]
    traces = _Traces(_spans(settings.otlp))
    app.extensions["spans"] = traces.spans
    app.before_request(traces.start)
    app.after_request(traces.finish)
    app.teardown_request(traces.leave)


def _spans(collector: str) -> "Spans | None":
    if not collector:
        return None
    # Imported here: without a collector these packages need not be installed.
    from serving.spans import Spans

    return Spans(collector, _SERVICE)


class _Traces:
    def __init__(self, spans: "Spans | None") -> None:
        self.spans = spans

    def start(self) -> None:
        g.trace = ExitStack()
        parent, state = map(request.headers.get, (tracing.TRACEPARENT, tracing.TRACESTATE))
        headers = tracing.received(parent, state)
        # Only POST requests get spans: probes and pages have no steps worth a span.
        if self.spans is None or request.method != "POST":
            g.trace.enter_context(tracing.carrying(headers))
            return
        about = {"http.request.method": request.method, "url.path": request.path}
        name = f"{request.method} {request.url_rule or 'unknown'}"
        g.span = g.trace.enter_context(self.spans.of_request(name, headers, about))
        # Replaces the `Timings` of `access_log`, which starts before this (`webapp.app`).
        g.timings = Timings(self.spans.of_stage)

    def finish(self, response: Response) -> Response:
        if "span" in g:
            g.span.set_attribute("http.response.status_code", response.status_code)
            g.span.set_attribute("us_bills.request_id", g.request_id)
            if response.status_code >= 500:
                g.span.set_status(_error_status())
        return response

    def leave(self, _error: BaseException | None) -> None:
        if "trace" in g:
            g.trace.close()


def _error_status() -> "StatusCode":
    from opentelemetry.trace import StatusCode

    return StatusCode.ERROR
