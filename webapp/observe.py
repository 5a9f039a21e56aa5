"""What is told of every request: an id, its stages, one log line, the counters. Never the picture.

A request keeps the id that it comes with, so that one search finds it here and in the logs of
whoever asked.
"""

import logging
import re
import time
import uuid
from typing import Any

from flask import Flask, Response, current_app, g, request

from webapp.metrics import Metrics
from webapp.stages import Stages

_log = logging.getLogger("webapp.requests")

ID_HEADER = "X-Request-ID"
# Nothing that could forge a log line or a header.
_GOOD_ID = re.compile(r"[\w.:+/=-]{1,128}", re.ASCII)


def init_app(app: Flask) -> None:
    """Watch every request of `app` from its first line to its answer."""
    app.before_request(_start)
    app.after_request(_finish)
    app.teardown_request(_leave)


def _start() -> None:
    g.started = time.perf_counter()
    g.stages = Stages()
    given = request.headers.get(ID_HEADER, "")
    g.request_id = given if _GOOD_ID.fullmatch(given) else uuid.uuid4().hex
    _metrics().running.inc()


def _finish(response: Response) -> Response:
    seconds = time.perf_counter() - g.started
    response.headers[ID_HEADER] = g.request_id
    if g.stages.seconds:
        response.headers["Server-Timing"] = g.stages.server_timing()
    _count(response, seconds)
    _log.info("request", extra={"fields": _fields(response, seconds)})
    return response


def _leave(_error: BaseException | None) -> None:
    _metrics().running.dec()


def _count(response: Response, seconds: float) -> None:
    metrics, endpoint = _metrics(), request.endpoint or "unknown"
    # A method is whatever the client wrote; labels must stay few.
    method = request.method if request.endpoint or request.method == "GET" else "other"
    metrics.requests.labels(method, endpoint, str(response.status_code)).inc()
    metrics.durations.labels(endpoint).observe(seconds)
    for stage, spent in g.stages.seconds.items():
        metrics.stages.labels(stage).observe(spent)
    if "reply" in g:
        metrics.count_answers(g.reply)


def _fields(response: Response, seconds: float) -> dict[str, Any]:
    fields = {
        "request_id": g.request_id,
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "milliseconds": round(1000 * seconds, 1),
        "bytes_in": request.content_length or 0,
    }
    if g.stages.seconds:
        fields["stages"] = g.stages.milliseconds()
    # The reason is for us: what the model server said, which the reply does not tell.
    fields |= {name: g.get(name) for name in ("problem", "reason") if name in g}
    if "reply" in g:
        fields["version"], fields["label"] = g.reply.model["version"], g.reply.model["label"]
        fields["top"] = [next(iter(each["probabilities"])) for each in g.reply.predictions]
        fields["accepted"] = [each["accepted"] for each in g.reply.predictions]
    return fields


def _metrics() -> Metrics:
    metrics: Metrics = current_app.extensions["metrics"]
    return metrics
