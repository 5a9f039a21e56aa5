"""`GET /metrics`: counts and durations for Prometheus, summed over all worker processes."""

import os
from collections.abc import Iterator

from flask import Blueprint, Flask, Response, current_app
from flask.typing import ResponseReturnValue
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from serving.client import ServingError
from webapp.classifier import Reply
from webapp.health import check_ready
from webapp.settings import COUNTS_FOLDER

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Show what was counted since the start."""
    counted: Metrics = current_app.extensions["metrics"]
    return Response(counted.exposition(current_app), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def init_app(app: Flask) -> None:
    """Give `app` its counters."""
    app.extensions["metrics"] = Metrics()


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter(
            "us_bills_requests", "Requests answered.", "method", "endpoint", "status"
        )
        self.answers = self._counter(
            "us_bills_answers", "Pictures answered, by class or unsure.", "answer", "version"
        )
        self.rejections = self._counter(
            "us_bills_rejections", "Requests refused or failed, by reason.", "reason"
        )
        self.durations = self._histogram(
            "us_bills_request_seconds", "Duration of whole requests.", "endpoint"
        )
        self.stages = self._histogram(
            "us_bills_stage_seconds", "Duration of a stage of POST /predict.", "stage"
        )
        self.calls = self._counter(
            "us_bills_model_calls",
            "Calls of the model server, by who sent them and what came back.",
            "version",
            "sent_as",
            "result",
        )
        self.call_seconds = self._histogram(
            "us_bills_model_seconds", "Duration of a call that was answered.", "version", "sent_as"
        )
        self.shadows = self._counter(
            "us_bills_shadow",
            "Copies of requests, by how the answers compare.",
            "version",
            "result",
        )
        self.running = Gauge(
            "us_bills_requests_running",
            "Requests being answered now.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )

    def count_answers(self, reply: Reply) -> None:
        """Count each picture by what it was said to be."""
        version = str(reply.model["version"] or "unknown")
        for prediction in reply.predictions:
            self.answers.labels(prediction["denomination"] or "unsure", version).inc()

    def count_call(self, version: int | None, sent_as: str, result: str, seconds: float) -> None:
        """Count a call of the model server; see `webapp.model.Count`."""
        number = str(version or "unknown")
        self.calls.labels(number, sent_as, result).inc()
        if result == "ok":
            self.call_seconds.labels(number, sent_as).observe(seconds)

    def count_shadow(self, version: int, result: str) -> None:
        """Count a copy of a request: `same`, `different`, `failed` or `dropped`."""
        self.shadows.labels(str(version), result).inc()

    def exposition(self, app: Flask) -> bytes:
        """All counters in Prometheus' text format, and whether the model server would answer."""
        registry = CollectorRegistry()
        if COUNTS_FOLDER in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry.register(self.registry)
        registry.register(_ModelServer(app))
        return generate_latest(registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(name, meaning, labels, registry=self.registry, buckets=_SECONDS)


class _ModelServer(Collector):
    """Asked at each scrape, since a count kept from the last request could be hours old."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            check_ready(self._app)
            ready = 1
        except ServingError:
            ready = 0
        yield GaugeMetricFamily(
            "us_bills_model_server_ready", "Whether a photo sent now would be answered.", ready
        )
