"""Calls of the model server: which version is asked, what is counted, who steps in for a canary."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from serving.client import Client, DeadlineExceeded, ServingError
from webapp.answers import read_answers
from webapp.settings import Settings

_log = logging.getLogger("webapp")


@dataclass(frozen=True)
class Question:
    """Which version is asked, by number or by label, and whether it shall show what it looked at.

    Attributes:
        version: A version number, or None.
        label: A version label, or None; with neither, the newest version answers.
        explain: Whether the answers get a heat map.
        small: Longest side in pixels of a small copy of each picture; 0 for none.
        canary: A version on trial to ask first; where it fails, the one named above answers.
        shadow: A version on trial that gets a copy once the answer is there.
    """

    version: int | None = None
    label: str | None = None
    explain: bool = False
    small: int = 0
    canary: int | None = None
    shadow: int | None = None


class Batch(NamedTuple):
    """What the model gets to see: uint8 `[N, 224, 224, 3]`, and the N names the photos had."""

    images: np.ndarray
    filenames: Sequence[str | None]


class Answer(NamedTuple):
    """What came back: `version` and `label` that answered, and one prediction for each photo."""

    model: dict[str, Any]
    predictions: list[dict[str, Any]]


class Count(Protocol):
    """Told of every call."""

    def __call__(self, version: int | None, sent_as: str, result: str, seconds: float, /) -> None:
        """Count one: `stable`, `canary`, `shadow` or `named`, and `ok` or what kind of error."""


def no_count(_version: int | None, _sent_as: str, _result: str, _seconds: float, /) -> None:
    """For callers that keep no counts."""


@dataclass(frozen=True)
class Model:
    """One model of a model server; safe to use from many threads."""

    settings: Settings
    model_server: Client
    count: Count = no_count

    def ask(self, batch: Batch, question: Question, deadline: float) -> Answer:
        """Ask the version that the question leads to; stable answers what a canary fails at.

        Args:
            batch: The photos.
            question: Which version, and whether to explain.
            deadline: When the answer must be there, as `time.monotonic()` counts.

        Raises:
            ServingError: There was no usable answer in time.
        """
        if question.canary is not None:
            try:
                return self.ask_canary(batch, question, question.canary, deadline, "canary")
            except ServingError as error:
                _log.warning(
                    "canary version %s failed, stable answers: %s: %s",
                    question.canary,
                    type(error).__name__,
                    error,
                )
        asked = (question.version, question.label)
        sent_as = "stable" if asked == (None, self.settings.model_label or None) else "named"
        return self._call(batch, question, asked, sent_as, _left(deadline))

    def ask_canary(
        self, batch: Batch, question: Question, canary: int, deadline: float, sent_as: str
    ) -> Answer:
        """Ask a version on trial, by its number: a label could have moved on in the meantime.

        It gets half of the time, so that stable has some where it takes too long.

        Raises:
            ServingError: There was no usable answer in time.
        """
        answer = self._call(batch, question, (canary, None), sent_as, _left(deadline) / 2)
        return Answer(answer.model | {"label": "canary"}, answer.predictions)

    def _call(
        self,
        batch: Batch,
        question: Question,
        asked: tuple[int | None, str | None],
        sent_as: str,
        seconds: float,
    ) -> Answer:
        started = time.monotonic()
        version, label = asked
        # A number that somebody made up is no version to count under.
        answered, result = None if sent_as == "named" else version, "ok"
        try:
            prediction = self.model_server.predict(
                self.settings.model_name,
                {"image": batch.images},
                signature="explain" if question.explain else "serving_default",
                version=version,
                label=label,
                timeout=seconds,
            )
            predictions = read_answers(prediction.outputs, batch.filenames)
            answered = version if prediction.version is None else prediction.version
        except ServingError as error:
            result = type(error).__name__
            raise
        finally:
            self.count(answered, sent_as, result, time.monotonic() - started)
        return Answer({"version": answered, "label": label}, predictions)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("The time was over before the model could be asked.")
    return left
