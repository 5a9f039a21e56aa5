"""Photos in, the model's answers out: what the page, the API and the terminal share."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from webapp.imaging.decode_pool import Busy, Client, TooSlow, decoders
from webapp.imaging.errors import BadImage
from webapp.imaging.messages import DecodedPhoto
from webapp.imaging.preprocessing import IMAGE_SIZE
from webapp.inference.model import Model, PhotoBatch, PredictionRequest
from webapp.inference.shadow import Shadow
from webapp.timings import Timings

NotDecoded: TypeAlias = BadImage | Busy | TooSlow

# Of the time of several photos: a slow one among them must not lose the answers of the others.
_FOR_THE_MODEL = 0.3


@dataclass(frozen=True)
class Photo:
    """The bytes of one picture and, where it came with one, the name of its file."""

    data: bytes
    filename: str | None = None


@dataclass(frozen=True)
class Classifier:
    """Asks one model about photos; safe to use from many threads."""

    model: Model
    shadow: Shadow | None = None

    def ask(
        self,
        photos: Sequence[Photo],
        query: PredictionRequest,
        deadline: float,
        timings: Timings | None = None,
        client: Client = Client(),  # noqa: B008
    ) -> "ClassifiedPhotos":
        """Read the value of the bill on each photo, all in one batch.

        Args:
            photos: One or more files, not yet looked into.
            query: Which version is asked, and for what.
            deadline: When the answer must be there, on the clock of `time.monotonic`, for decoding
                and the model together.
            timings: Where to note how long each step took.
            client: The sender of the photos.

        Returns:
            An answer or an error for each photo, in their order.

        Raises:
            BadImage, Busy, TooSlow: No file could be decoded; the error of the first one.
            ServingError: The model server gave no usable answer in time.
        """
        timings = timings or Timings()
        decode_by = deadline if len(photos) == 1 else deadline - _FOR_THE_MODEL * _left(deadline)
        outcomes = [_decode(photo, query.small, timings, decode_by, client) for photo in photos]
        decoded = [each for each in outcomes if isinstance(each, DecodedPhoto)]
        errors = {n: each for n, each in enumerate(outcomes) if not isinstance(each, DecodedPhoto)}
        if not decoded:
            raise errors[0]
        names = [photo.filename for n, photo in enumerate(photos) if n not in errors]
        batch = PhotoBatch(_images(decoded), names)
        client.place.acquire(deadline)
        with timings.time("model"):
            answer = self.model.ask(batch, query, deadline)
        if self.shadow is not None and query.shadow is not None:
            self.shadow.send(batch, query, query.shadow, answer)
        answers = iter(answer.predictions)
        return ClassifiedPhotos(
            {"name": self.model.settings.model_name, **answer.model},
            [_no_answer(p) if n in errors else next(answers) for n, p in enumerate(photos)],
            [each.small if isinstance(each, DecodedPhoto) else None for each in outcomes],
            errors,
        )


@dataclass(frozen=True)
class ClassifiedPhotos:
    """What the model said.

    Attributes:
        model: `name`, `version` (None where the protocol does not tell) and `label`.
        predictions: One answer for each photo, see `read_answers`; one that could not be decoded
            has no `probabilities`, and is not accepted.
        pictures: A small copy of each photo as a JPEG, where one was asked for.
        errors: Why photos could not be decoded, by their place.
    """

    model: dict[str, Any]
    predictions: list[dict[str, Any]]
    pictures: list[bytes | None] = field(default_factory=list)
    errors: dict[int, NotDecoded] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The reply as the API gives it."""
        return {"model": self.model, "predictions": self.predictions}


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _images(decoded: list[DecodedPhoto]) -> np.ndarray:
    pixels = np.frombuffer(b"".join(picture.pixels for picture in decoded), np.uint8)
    return pixels.reshape(len(decoded), IMAGE_SIZE, IMAGE_SIZE, 3)


def _decode(
    photo: Photo, small: int, timings: Timings, deadline: float, client: Client
) -> DecodedPhoto | NotDecoded:
    try:
        return decoders.decode(photo.data, small, deadline, timings, client)
    except (BadImage, Busy, TooSlow) as error:
        return error


def _no_answer(photo: Photo) -> dict[str, Any]:
    return {"filename": photo.filename, "denomination": None, "accepted": False}
