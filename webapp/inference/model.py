"""Calls of the model server: choice of the version, counts, and the fallback from a canary."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from serving import traffic
from serving.client import Client, DeadlineExceeded, ServingError, Tls, connect
from webapp.inference.answers import read_answers
from webapp.inference.calls import CallCounts
from webapp.settings import Settings

_log = logging.getLogger("webapp")


@dataclass(frozen=True)
class PredictionRequest:
    """How to answer photos: the version, the outputs, and the versions on trial.

    Attributes:
        version: A version number, or None.
        label: A version label, or None; with neither, the newest version answers.
        explain: Whether the answers get a heat map.
        small: Longest side in pixels of a small copy of each picture; 0 for none.
        count: Whether the counter, a second model, counts all bills of each picture too.
        canary: A version on trial to ask first; if it fails, the version named above answers.
        counting_canary: A version of the counter on trial to ask first.
        shadow: A version on trial that gets a copy of the request after the answer.
    """

    version: int | None = None
    label: str | None = None
    explain: bool = False
    small: int = 0
    count: bool = False
    canary: int | None = None
    counting_canary: int | None = None
    shadow: int | None = None


class PhotoBatch(NamedTuple):
    """The model's input: uint8 `[N, 224, 224, 3]`, and the N names of the files."""

    images: np.ndarray
    filenames: Sequence[str | None]


class PredictionResponse(NamedTuple):
    """The answer: the `version` and `label` that answered, and one prediction for each photo."""

    model: dict[str, Any]
    predictions: list[dict[str, Any]]


def version_number(text: str) -> int:
    """Convert text to the number of a version.

    Raises:
        ValueError: It is no such number; names the expected and the received text.
    """
    number = traffic.version_number(text)
    if number is None:
        expected = f"Expected a whole number, at most {traffic.VERSIONS[-1]}."
        raise ValueError(f"Unrecognized version: {text!r}. {expected}")
    return number


def connect_to(settings: Settings) -> Client:
    """Return a client for the model server that the settings name."""
    tls = Tls.of(settings.model_server_ca, settings.client_cert, settings.client_key)
    return connect(settings.model_server, tls)


@dataclass(frozen=True)
class Model:
    """One model of a model server; safe to use from many threads."""

    settings: Settings
    model_server: Client
    calls: CallCounts = field(default_factory=CallCounts)

    def ask(
        self, batch: PhotoBatch, query: PredictionRequest, deadline: float
    ) -> PredictionResponse:
        """Ask the query's canary, if any; without one, or if it fails, ask the named version.

        Args:
            batch: The photos.
            query: The version to ask, and whether to explain.
            deadline: When the answer must be ready, on the clock of `time.monotonic`.

        Raises:
            ServingError: There was no usable answer in time.
        """
        if query.canary is not None:
            try:
                return self.ask_canary(batch, query, query.canary, deadline, "canary")
            except ServingError as error:
                _log.warning(
                    "canary version %s failed, stable answers: %s: %s",
                    query.canary,
                    type(error).__name__,
                    error,
                )
        asked = (query.version, query.label)
        sent_as = "stable" if asked == (None, self.settings.model_label or None) else "named"
        return self._call(batch, query, asked, sent_as, _left(deadline))

    def ask_canary(
        self,
        batch: PhotoBatch,
        query: PredictionRequest,
        canary: int,
        deadline: float,
        sent_as: str,
    ) -> PredictionResponse:
        """Ask a version on trial by number, since a label could have moved in the meantime.

        The version gets half of the time, so that stable has time left if the version is too slow.

        Raises:
            ServingError: There was no usable answer in time.
        """
        answer = self._call(batch, query, (canary, None), sent_as, _left(deadline) / 2)
        return PredictionResponse(answer.model | {"label": "canary"}, answer.predictions)

    def check_ready(self) -> None:
        """Check that the model server would answer for the model and label of the settings.

        A status request ignores labels, and succeeds while no version is loaded; a request for the
        signatures succeeds only if the version is AVAILABLE.

        Raises:
            ServingError: The server cannot be reached, or `NotServed`: the version is unavailable.
        """
        label = self.settings.model_label or None
        self.model_server.signatures(self.settings.model_name, label=label)

    def _call(
        self,
        batch: PhotoBatch,
        query: PredictionRequest,
        asked: tuple[int | None, str | None],
        sent_as: str,
        seconds: float,
    ) -> PredictionResponse:
        started = time.monotonic()
        version, label = asked
        try:
            prediction = self.model_server.predict(
                self.settings.model_name,
                {"image": batch.images},
                signature="explain" if query.explain else "serving_default",
                version=version,
                label=label,
                timeout=seconds,
            )
            predictions = read_answers(prediction.outputs, batch.filenames, query.explain)
        except ServingError as error:
            self.calls.failed(sent_as, version, error, time.monotonic() - started)
            raise
        answered = version if prediction.version is None else prediction.version
        self.calls.answered(sent_as, answered, time.monotonic() - started)
        return PredictionResponse({"version": answered, "label": label}, predictions)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("The time was over before the model could be asked.")
    return left
