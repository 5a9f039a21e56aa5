"""What is told of every request: an id, its stages, one log line, the counters. Never the picture.

A request keeps the id that it comes with, so that one search finds it here and in the logs of
whoever asked.
"""

import logging
import re
import time
import uuid
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, request

from webapp.classifier import Reply
from webapp.metrics import Metrics
from webapp.stages import Stages

_log = logging.getLogger("webapp.requests")

ID_HEADER = "X-Request-ID"
# Nothing that could forge a log line or a header.
_GOOD_ID = re.compile(r"[\w.:+/=-]{1,128}", re.ASCII)


def init_app(app: Flask) -> None:
    """Watch every request of `app` from its first line to its answer."""
    watch = _Watch(app.extensions["metrics"])
    app.before_request(watch.start)
    app.after_request(watch.finish)
    app.teardown_request(watch.leave)


class _Watch:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def start(self) -> None:
        g.started = time.perf_counter()
        g.stages = Stages()
        given = request.headers.get(ID_HEADER, "")
        g.request_id = given if _GOOD_ID.fullmatch(given) else uuid.uuid4().hex
        self._metrics.running.inc()

    def finish(self, response: Response) -> Response:
        seconds, stages, reply = time.perf_counter() - g.started, g.stages, g.get("reply")
        response.headers[ID_HEADER] = g.request_id
        if stages.seconds:
            response.headers["Server-Timing"] = stages.server_timing()
        self._count(response.status_code, seconds, stages, reply)
        fields = _fields(response.status_code, seconds, stages, reply)
        _log.info("request", extra={"fields": fields})
        return response

    def leave(self, _error: BaseException | None) -> None:
        self._metrics.running.dec()

    def _count(self, status: int, seconds: float, stages: Stages, reply: Reply | None) -> None:
        metrics, method, endpoint = self._metrics, request.method, request.endpoint
        # A method is whatever the client wrote; labels must stay few.
        known = method if endpoint or method == "GET" else "other"
        metrics.requests.labels(known, endpoint or "unknown", str(status)).inc()
        metrics.durations.labels(endpoint or "unknown").observe(seconds)
        for stage, spent in stages.seconds.items():
            metrics.stages.labels(stage).observe(spent)
        if reply is not None:
            metrics.count_answers(reply)


def _fields(status: int, seconds: float, stages: Stages, reply: Reply | None) -> dict[str, Any]:
    fields = {
        "request_id": g.request_id,
        "method": request.method,
        "path": request.path,
        "status": status,
        "milliseconds": round(1000 * seconds, 1),
        "bytes_in": request.content_length or 0,
    }
    if stages.seconds:
        fields["stages"] = stages.milliseconds()
    if status >= HTTPStatus.BAD_REQUEST:
        # The reason is for us: what the model server said, which the reply does not tell.
        fields |= {name: g.get(name) for name in ("problem", "reason") if name in g}
    if reply is not None:
        fields["version"], fields["label"] = reply.model["version"], reply.model["label"]
        fields["top"] = [next(iter(each["probabilities"])) for each in reply.predictions]
        fields["accepted"] = [each["accepted"] for each in reply.predictions]
    return fields
