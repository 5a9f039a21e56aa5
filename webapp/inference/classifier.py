"""Turns photos into the models' answers, for the page, the API and the terminal."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from webapp.decoding.messages import DecodedPhoto
from webapp.decoding.pool import Busy, DecodeOptions, Requester, TooSlow, decoders
from webapp.imaging.errors import BadImage
from webapp.imaging.preprocessing import COUNT_SIZE, IMAGE_SIZE
from webapp.inference.bills import (
    Contradiction,
    CountedPhoto,
    confirms,
    contradiction,
    without_gaps,
)
from webapp.inference.counter import Counter, Counting, CountResponse, Unasked, Uncounted
from webapp.inference.model import Model, PhotoBatch, PredictionRequest, PredictionResponse
from webapp.inference.model_cards import ClassNames
from webapp.inference.shadow import Shadow
from webapp.names import Names
from webapp.timings import Timings

NotDecoded: TypeAlias = BadImage | Busy | TooSlow

# Share of the time kept for the model, so that one slow photo does not cost the others' answers.
_FOR_THE_MODEL = 0.3


@dataclass(frozen=True)
class Photo:
    """The bytes of one picture and, if the client sent it, the name of its file."""

    data: bytes
    filename: str | None = None


@dataclass(frozen=True)
class Classifier:
    """Asks one model, and the counter in parallel, about photos; safe to use from many threads."""

    model: Model
    shadow: Shadow | None = None
    counter: Counter | None = None
    names: ClassNames = field(default_factory=lambda: ClassNames(""))

    def ask(
        self,
        photos: Sequence[Photo],
        query: PredictionRequest,
        deadline: float,
        timings: Timings | None = None,
        client: Requester = Requester(),  # noqa: B008
    ) -> "ClassifiedPhotos":
        """Read the value of the bill on each photo, all in one batch.

        Args:
            photos: One or more files, not yet decoded.
            query: The version to ask, and the requested outputs.
            deadline: When the answer must be ready, on the clock of `time.monotonic`, for decoding
                and the models together.
            timings: Gets the duration of each step.
            client: The sender of the photos.

        Returns:
            An answer or an error for each photo, in the order of `photos`.

        Raises:
            BadImage, Busy, TooSlow: No file could be decoded; the error of the first one.
            TooManyRequests: The client's place, released for a slow photo, was not free in time.
            ServingError: The model server gave no usable answer in time.
        """
        timings = timings or Timings()
        decoded, errors = self._decode(photos, query, deadline, timings, client)
        if not decoded:
            raise errors[0]
        batch = PhotoBatch(_images(decoded.values()), [photos[n].filename for n in decoded])
        client.place.acquire(deadline)
        answer, counted = self._ask_both(batch, [*decoded.values()], query, deadline, timings)
        reply = ClassifiedPhotos(
            {"name": self.model.settings.model_name, **answer.model},
            [_no_answer(photo) for photo in photos],
            {n: each.small for n, each in decoded.items() if each.small},
            errors,
            counted.to_json(),
            {n: each.size for n, each in decoded.items()},
            names=self.names.of(answer.model["version"]),
        )
        _fill_in(reply, list(decoded), answer, counted)
        return reply

    def check_ready(self) -> None:
        """Check whether a photo sent now would be answered.

        Raises:
            ServingError: The model server cannot be reached, or does not serve the version.
            Busy: The decoding processes are still starting.
        """
        self.model.check_ready()
        decoders.check_ready()

    def check_counter(self) -> CountResponse:
        """Report whether bills would be counted now; photos are answered in either case."""
        if self.counter is None:
            return CountResponse(Uncounted.SWITCHED_OFF)
        return self.counter.check()

    def _decode(
        self,
        photos: Sequence[Photo],
        query: PredictionRequest,
        deadline: float,
        timings: Timings,
        client: Requester,
    ) -> tuple[dict[int, DecodedPhoto], dict[int, NotDecoded]]:
        """Decode photos in order; return those that were decoded, and the errors, by index."""
        if len(photos) > 1:
            deadline -= _FOR_THE_MODEL * _left(deadline)
        wanted = DecodeOptions(query.small, self.counter is not None and query.count)
        decoded, errors = dict[int, DecodedPhoto](), dict[int, NotDecoded]()
        for n, photo in enumerate(photos):
            try:
                decoded[n] = decoders.decode(photo.data, wanted, deadline, timings, client)
            except (BadImage, Busy, TooSlow) as error:
                errors[n] = error
        return decoded, errors

    def _ask_both(
        self,
        batch: PhotoBatch,
        decoded: list[DecodedPhoto],
        query: PredictionRequest,
        deadline: float,
        timings: Timings,
    ) -> tuple[PredictionResponse, CountResponse]:
        with timings.time("model"):
            counting = self._begin_counting(decoded, query, deadline)
            try:
                answer = self.model.ask(batch, query, deadline)
            except BaseException:
                if counting is not None:
                    counting.cancel()
                raise
        if self.shadow is not None and query.shadow is not None:
            self.shadow.send(batch, query, query.shadow, answer)
        if counting is None:
            return answer, CountResponse(
                Uncounted.NOT_ASKED if self.counter else Uncounted.SWITCHED_OFF
            )
        with timings.time("count"):
            return answer, counting.result()

    def _begin_counting(
        self, decoded: list[DecodedPhoto], query: PredictionRequest, deadline: float
    ) -> Counting | Unasked | None:
        if self.counter is None or not query.count:
            return None
        pixels = np.frombuffer(b"".join(each.square or b"" for each in decoded), np.uint8)
        squares = pixels.reshape(len(decoded), COUNT_SIZE, COUNT_SIZE, 3)
        sizes = [each.size for each in decoded]
        return self.counter.begin(squares, sizes, deadline, query.counting_canary)


@dataclass(frozen=True)
class ClassifiedPhotos:
    """The models' answers to one request.

    Attributes:
        model: `name`, `version` (None if the protocol does not report it) and `label`.
        predictions: One answer for each photo, see `read_answers`, with its `value` in dollars,
            None if it has none; a photo that could not be decoded has no `probabilities`, and is
            not accepted. Counted photos have `bills` and `total`.
        pictures: Small copies of the photos as JPEG, if requested, by index of the photo.
        errors: Why photos could not be decoded, by index of the photo.
        count: Whether bills were counted, by which model or why not; see `CountResponse.to_json`.
        sizes: Width and height of the upright photos that were decoded, by index of the photo.
        contradictions: Why sure answers were withheld, by index of the photo.
        names: The values and words of the version's classes.
    """

    model: dict[str, Any]
    predictions: list[dict[str, Any]]
    pictures: dict[int, bytes] = field(default_factory=dict)
    errors: dict[int, NotDecoded] = field(default_factory=dict)
    count: dict[str, Any] = field(default_factory=CountResponse(Uncounted.SWITCHED_OFF).to_json)
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    contradictions: dict[int, Contradiction] = field(default_factory=dict)
    names: Names = field(default_factory=Names)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON document of the API's reply."""
        return {"model": self.model, "predictions": self.predictions, "count": self.count}


def _fill_in(
    reply: ClassifiedPhotos, read: list[int], answer: PredictionResponse, counted: CountResponse
) -> None:
    """Store the answers at the indices of the photos that were decoded."""
    # Changes copies only: `Shadow` compares the classifier's own answers with the canary's.
    for n, prediction in zip(read, answer.predictions, strict=True):
        reply.predictions[n] = _with_value(prediction, reply.names)
    for n, photo in zip(read, counted.photos, strict=False):
        against = _join(reply.predictions[n], photo, reply.names)
        if against is not None:
            reply.contradictions[n] = against


def _join(prediction: dict[str, Any], photo: CountedPhoto, names: Names) -> Contradiction | None:
    """Merge the answers of both models; return why a sure answer was withheld, if it was."""
    answered = prediction["denomination"]
    worth = None if answered is None else _worth(answered, names)
    against = contradiction(worth, photo)
    if against is not None:
        prediction.update(denomination=None, value=None, accepted=False)
    elif answered is None:
        likeliest, probability = next(iter(prediction["probabilities"].items()))
        if confirms(_worth(likeliest, names), probability, photo):
            value = names.of(likeliest).value
            prediction.update(denomination=likeliest, value=value, accepted=True)
    prediction.update(without_gaps(worth, photo).to_json())
    return against


def _worth(label: str, names: Names) -> str:
    return names.of(label).amount() or label


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _images(decoded: Iterable[DecodedPhoto]) -> np.ndarray:
    pixels = np.frombuffer(b"".join(picture.pixels for picture in decoded), np.uint8)
    return pixels.reshape(-1, IMAGE_SIZE, IMAGE_SIZE, 3)


def _with_value(prediction: dict[str, Any], names: Names) -> dict[str, Any]:
    answered = prediction["denomination"]
    return prediction | {"value": None if answered is None else names.of(answered).value}


def _no_answer(photo: Photo) -> dict[str, Any]:
    return {"filename": photo.filename, "denomination": None, "accepted": False}
