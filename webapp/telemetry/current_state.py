"""Metrics that are computed at each scrape: readiness, canaries, expected confidence."""

from collections.abc import Iterator

from flask import Flask
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from serving.client import ServingError
from webapp.inference.classifier import Classifier
from webapp.inference.traffic_split import TrafficFile
from webapp.settings import Settings
from webapp.telemetry.confidence import ExpectedConfidence


class CurrentState(Collector):
    """Checks the current state at each scrape, since the last request could be hours old."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield each metric."""
        yield from self._readiness()
        yield self._canaries()
        yield self._expected_confidence()

    def _readiness(self) -> Iterator[GaugeMetricFamily]:
        classifier: Classifier = self._app.extensions["classifier"]
        try:
            classifier.model.check_ready()
            ready = 1
        except ServingError:
            ready = 0
        yield GaugeMetricFamily(
            "us_bills_model_server_ready", "Whether a photo sent now would be answered.", ready
        )
        if classifier.counter is not None:
            counts = ready and classifier.check_counter().reason is None
            yield GaugeMetricFamily(
                "us_bills_counter_ready", "Whether its bills would be counted.", int(counts)
            )

    def _expected_confidence(self) -> GaugeMetricFamily:
        cards: ExpectedConfidence = self._app.extensions["model_cards"]
        expected = GaugeMetricFamily(
            "us_bills_confidence_expected",
            "Share of pictures by confidence, as the version's model card has it.",
            labels=["confidence", "version"],
        )
        for version, shares in cards.expected().items():
            for label, share in shares.items():
                expected.add_metric([label, str(version)], share)
        return expected

    def _canaries(self) -> GaugeMetricFamily:
        traffic: TrafficFile = self._app.extensions["traffic"]
        settings: Settings = self._app.extensions["settings"]
        percents = GaugeMetricFamily(
            "us_bills_canary_percent",
            "Percent of the clients that a version on trial answers.",
            labels=["model"],
        )
        for model in filter(None, (settings.model_name, settings.counter)):
            percents.add_metric([model], traffic.current(model).percent)
        return percents
