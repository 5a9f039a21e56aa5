"""Adds an id, stage times, a log line and counts to every request; no picture is stored.

A request keeps the id that its client sends, so that one search finds it in these logs and in the
client's logs. Views leave in `flask.g` what is logged and counted: `reply`, `frames` (whether a
live camera asks), and for errors `problem` and `reason`.
"""

import logging
import re
import time
import uuid
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, request

from serving import tracing
from webapp.inference.classifier import ClassifiedPhotos
from webapp.telemetry.metrics import Metrics
from webapp.timings import Timings

_log = logging.getLogger("webapp.requests")

ID_HEADER = "X-Request-ID"
_LONGEST_PATH = 200
# Allows no characters that could forge a log line or a header.
_GOOD_ID = re.compile(r"[\w.:+/=-]{1,128}", re.ASCII)


def init_app(app: Flask) -> None:
    """Time, count and log every request of `app`."""
    watch = _Watch(app.extensions["metrics"])
    app.before_request(watch.start)
    app.after_request(watch.finish)
    app.teardown_request(watch.leave)


class _Watch:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def start(self) -> None:
        g.started = time.perf_counter()
        g.timings = Timings()
        given = request.headers.get(ID_HEADER, "")
        g.request_id = given if _GOOD_ID.fullmatch(given) else uuid.uuid4().hex
        self._metrics.running.inc()

    def finish(self, response: Response) -> Response:
        seconds, timings, reply = time.perf_counter() - g.started, g.timings, g.get("reply")
        response.headers[ID_HEADER] = g.request_id
        if timings.seconds:
            response.headers["Server-Timing"] = timings.server_timing()
        self._count(response.status_code, seconds, timings, reply)
        fields = _fields(response.status_code, seconds, timings, reply)
        _log.info("request", extra={"fields": fields})
        return response

    def leave(self, _error: BaseException | None) -> None:
        self._metrics.running.dec()

    def _count(
        self, status: int, seconds: float, timings: Timings, reply: ClassifiedPhotos | None
    ) -> None:
        metrics, method, endpoint = self._metrics, request.method, request.endpoint
        # Clients can send any method; the number of label values must stay small.
        known = method if endpoint or method == "GET" else "other"
        metrics.requests.labels(known, endpoint or "unknown", str(status)).inc()
        metrics.durations.labels(endpoint or "unknown").observe(seconds)
        for stage, spent in timings.seconds.items():
            metrics.stages.labels(stage).observe(spent)
        if reply is not None:
            metrics.count_answers(reply, g.get("frames", False))
            metrics.count_bills(reply)


def _fields(
    status: int, seconds: float, timings: Timings, reply: ClassifiedPhotos | None
) -> dict[str, Any]:
    fields = {
        "request_id": g.request_id,
        "method": request.method,
        "path": request.path[:_LONGEST_PATH],
        "status": status,
        "milliseconds": round(1000 * seconds, 1),
        "bytes_in": request.content_length or 0,
    }
    trace = tracing.carried_id()
    if trace is not None:
        fields["trace_id"] = trace
    if timings.seconds:
        fields["stages"] = timings.milliseconds()
    if status >= HTTPStatus.BAD_REQUEST:
        # `reason` is for operators: the model server's error, which the reply does not contain.
        fields |= {name: g.get(name) for name in ("problem", "reason") if name in g}
    if reply is not None:
        fields["version"], fields["label"] = reply.model["version"], reply.model["label"]
        fields["top"] = [
            next(iter(each.get("probabilities", [None]))) for each in reply.predictions
        ]
        fields["accepted"] = [each["accepted"] for each in reply.predictions]
        fields["count"] = reply.count.get("reason", "ok")
        bills = [[bill["class"] for bill in each.get("bills", ())] for each in reply.predictions]
        if any(bills):
            fields["bills"] = bills
    return fields
