"""`GET /metrics`: counts and durations for Prometheus, summed over all worker processes."""

import os
from collections.abc import Iterable

from flask import Blueprint, Flask, Response, abort, current_app, request
from flask.typing import ResponseReturnValue
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from werkzeug.exceptions import default_exceptions

from serving.client import ServingError
from webapp.inference.classifier import ClassifiedPhotos
from webapp.settings import COUNTS_FOLDER, Settings
from webapp.telemetry.confidence import ExpectedConfidence, label_of
from webapp.telemetry.current_state import CurrentState
from webapp.telemetry.metrics_history import LONGEST_SECONDS, MetricsHistory

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

RESULTS = ("ok", *(kind.__name__ for kind in ServingError.__subclasses__()))
"""The results of a call of the model server."""

SHADOW_RESULTS = ("same", "different", "failed", "dropped")

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Show the counts since the start: until now, or until some seconds `ago`."""
    counted: Metrics = current_app.extensions["metrics"]
    if "ago" in request.args:
        age, page = counted.past.page(_seconds(request.args["ago"]))
        headers = {"Age": f"{age:.0f}"}
        return Response(page, headers=headers, content_type=CONTENT_TYPE_PLAIN_0_0_4)
    return Response(counted.exposition(current_app), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def init_app(app: Flask) -> None:
    """Add the metrics to `app`."""
    settings: Settings = app.extensions["settings"]
    app.extensions["metrics"] = Metrics()
    app.extensions["model_cards"] = ExpectedConfidence(settings.models)


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._begun: set[tuple[object, ...]] = set()
        self.past = MetricsHistory(lambda: generate_latest(self._counts()))
        self.requests = self._counter(
            "us_bills_requests", "Requests answered.", "method", "endpoint", "status"
        )
        self.answers = self._counter(
            "us_bills_answers", "Pictures answered, by class or unsure.", "answer", "version"
        )
        self.photos = self._counter(
            "us_bills_photos",
            "Pictures answered that are no frames of a film, by answer and by confidence.",
            "answer",
            "confidence",
            "version",
        )
        self.rejections = self._counter(
            "us_bills_rejections", "Requests refused or failed, by reason.", "reason"
        )
        self.durations = self._histogram(
            "us_bills_request_seconds", "Duration of whole requests.", "endpoint"
        )
        self.stages = self._histogram(
            "us_bills_stage_seconds", "Duration of a stage of a request with photos.", "stage"
        )
        self.calls = self._counter(
            "us_bills_model_calls",
            "Calls of the model server, by kind and result.",
            "model",
            "version",
            "sent_as",
            "result",
        )
        self.call_seconds = self._histogram(
            "us_bills_model_seconds",
            "Duration of a call that was answered.",
            "model",
            "version",
            "sent_as",
        )
        self.shadows = self._counter(
            "us_bills_shadow",
            "Copies of requests, by how the answers compare.",
            "model",
            "version",
            "result",
        )
        self.feedback = self._counter(
            "us_bills_feedback",
            "Photos sent back, by what they were and what was answered.",
            "version",
            "was",
            "answered",
        )
        self.counted = self._counter(
            "us_bills_counts", "Requests by whether bills were counted, or why not.", "result"
        )
        self.bills = self._counter(
            "us_bills_bills_seen",
            "Pictures by the number of bills that the counter sees, and whether it is sure.",
            "bills",
            "accepted",
        )
        self.withheld = self._counter(
            "us_bills_withheld", "Sure answers withheld, by what the counter sees.", "reason"
        )
        # Of several processes, the one with the most recent answer has the correct value.
        self.stable = Gauge(
            "us_bills_stable_version",
            "Version that last answered as stable.",
            ["model"],
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self.running = Gauge(
            "us_bills_requests_running",
            "Requests being answered now.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )

    def count_answers(self, reply: ClassifiedPhotos, frames: bool = False) -> None:
        """Count each answered picture by its answer.

        Args:
            reply: The answers.
            frames: Whether the pictures are frames of a film, most of which show no bill.
        """
        version = str(reply.model["version"] or "unknown")
        for prediction in reply.predictions:
            if "error" in prediction:
                continue
            answer = prediction["denomination"] or "unsure"
            self.answers.labels(answer, version).inc()
            if not frames:
                confidence = max(prediction["probabilities"].values())
                self.photos.labels(answer, label_of(confidence), version).inc()

    def count_bills(self, reply: ClassifiedPhotos) -> None:
        """Count the results of the bill counter, or only the reason why it did not count."""
        self.counted.labels(reply.count.get("reason", "ok")).inc()
        for prediction in reply.predictions:
            if "bills" in prediction:
                accepted = str(prediction["total"] is not None).lower()
                self.bills.labels(str(len(prediction["bills"])), accepted).inc()
        for reason in reply.contradictions.values():
            self.withheld.labels(reason).inc()

    def count_call(
        self, model: str, version: int | None, sent_as: str, result: str, seconds: float
    ) -> None:
        """Count a call of the model server; see `webapp.inference.calls.CountCall`."""
        number = str(version or "unknown")
        self._begin(self.calls, (model, number, sent_as), RESULTS)
        self.calls.labels(model, number, sent_as, result).inc()
        if result == "ok":
            self.call_seconds.labels(model, number, sent_as).observe(seconds)
            if sent_as == "stable" and version:
                self.stable.labels(model).set(version)

    def count_refusal(self, status: int) -> None:
        """Count a request that was refused before it reached the application; 431 or 503."""
        self.requests.labels("other", "unknown", str(status)).inc()
        self.rejections.labels(default_exceptions[status].__name__).inc()

    def count_shadow(self, model: str, version: int, result: str) -> None:
        """Count a shadow copy by its result, one of `SHADOW_RESULTS`."""
        self._begin(self.shadows, (model, str(version)), SHADOW_RESULTS)
        self.shadows.labels(model, str(version), result).inc()

    def _begin(self, counter: Counter, labels: tuple[str, ...], results: Iterable[str]) -> None:
        """Let a counter begin at zero for every result, with the first result of any.

        Prometheus sees no increase in a series that begins at one, so the first failure of each
        front end would never count.
        """
        key = (id(counter), *labels)
        if key not in self._begun:
            for result in results:
                counter.labels(*labels, result)
            self._begun.add(key)

    def count_feedback(self, version: int | None, was: str, answered: str | None) -> None:
        """Count a feedback photo that was stored; `was` is a class of the model or `UNLISTED`."""
        self.feedback.labels(str(version or "unknown"), was, answered or "unsure").inc()

    def exposition(self, app: Flask) -> bytes:
        """Return all counters and the current state in Prometheus' text format."""
        registry = self._counts()
        registry.register(CurrentState(app))
        return generate_latest(registry)

    def _counts(self) -> CollectorRegistry:
        registry = CollectorRegistry()
        if COUNTS_FOLDER in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry.register(self.registry)
        return registry

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(name, meaning, labels, registry=self.registry, buckets=_SECONDS)


def _seconds(text: str) -> float:
    whole = text.isascii() and text.isdecimal() and len(text) < 10
    if not whole or int(text) > LONGEST_SECONDS:
        abort(400, f"Unrecognized ago: {text!r}. Expected 0 to {LONGEST_SECONDS:g} seconds.")
    return float(text)
