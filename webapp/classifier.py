"""Photos in, the model's answers out: what the page, the API and the terminal share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from webapp.bad_image import BadImage
from webapp.decoder import Seen
from webapp.decoders import decoders
from webapp.model import Batch, Model, Question
from webapp.preprocessing import IMAGE_SIZE
from webapp.shadow import Shadow
from webapp.stages import Stages


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
        question: Question,
        deadline: float,
        stages: Stages | None = None,
    ) -> "Reply":
        """Read the value of the bill on each photo, all in one batch.

        Args:
            photos: One or more files, not yet looked into.
            question: Which version is asked, and for what.
            deadline: When the answer must be there, on the clock of `time.monotonic`; what decoding
                takes, the model lacks.
            stages: Where to note how long each step took.

        Returns:
            The answers in the order of the photos.

        Raises:
            BadImage: A file is no picture; the message names it.
            Busy, TooSlow: No decoder became free in time, or it took too long.
            ServingError: The model server gave no usable answer in time.
        """
        stages = stages or Stages()
        seen = [_look(photo, question.small, stages, deadline) for photo in photos]
        batch = Batch(_images(seen), [photo.filename for photo in photos])
        with stages.time("model"):
            answer = self.model.ask(batch, question, deadline)
        if self.shadow is not None and question.shadow is not None:
            self.shadow.send(batch, question, question.shadow, answer)
        return Reply(
            {"name": self.model.settings.model_name, **answer.model},
            answer.predictions,
            [picture.small for picture in seen],
        )


@dataclass(frozen=True)
class Reply:
    """What the model said.

    Attributes:
        model: `name`, `version` (None where the protocol does not tell) and `label`.
        predictions: One answer for each photo, see `read_answers`.
        pictures: A small copy of each photo as a JPEG, where one was asked for.
    """

    model: dict[str, Any]
    predictions: list[dict[str, Any]]
    pictures: list[bytes | None] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The reply as the API gives it."""
        return {"model": self.model, "predictions": self.predictions}


def _images(seen: list[Seen]) -> np.ndarray:
    pixels = np.frombuffer(b"".join(picture.pixels for picture in seen), np.uint8)
    return pixels.reshape(len(seen), IMAGE_SIZE, IMAGE_SIZE, 3)


def _look(photo: Photo, small: int, stages: Stages, deadline: float) -> Seen:
    try:
        return decoders.look(photo.data, small, deadline, stages)
    except BadImage as error:
        if photo.filename is None:
            raise
        raise type(error)(f"{photo.filename}: {error}") from error
