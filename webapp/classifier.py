"""Photos in, the model's answers out: what the page, the API and the terminal share."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from webapp.model import Batch, Model, Question
from webapp.preprocessing import BadImage, open_upright, to_tensor
from webapp.shadow import Shadow
from webapp.stages import Stages

# A picture of 50 megapixels takes up to half a gigabyte while it is decoded, so few are at once.
_decoders = threading.BoundedSemaphore(2)


class Busy(Exception):
    """The pictures of others are still being decoded, and the time for this one is over."""


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
        self, photos: Sequence[Photo], question: Question, stages: Stages | None = None
    ) -> "Reply":
        """Read the value of the bill on each photo, all in one batch.

        Decoding and the model share the setting `timeout`: what the first takes, the second lacks.

        Args:
            photos: One or more files, not yet looked into.
            question: Which version is asked, and for what.
            stages: Where to note how long each step took.

        Returns:
            The answers in the order of the photos.

        Raises:
            BadImage: A file is no picture; the message names it.
            Busy: No decoder became free in time.
            ServingError: The model server gave no usable answer in time.
        """
        stages = stages or Stages()
        deadline = time.monotonic() + self.model.settings.timeout
        seen = [_look(photo, question.small, stages, deadline) for photo in photos]
        images = np.stack([picture.tensor for picture in seen])
        batch = Batch(images, [photo.filename for photo in photos])
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
        pictures: A small copy of each photo, where one was asked for.
    """

    model: dict[str, Any]
    predictions: list[dict[str, Any]]
    pictures: list[Image.Image | None] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The reply as the API gives it."""
        return {"model": self.model, "predictions": self.predictions}


@dataclass(frozen=True)
class _Seen:
    tensor: np.ndarray
    small: Image.Image | None


def _look(photo: Photo, small: int, stages: Stages, deadline: float) -> _Seen:
    with _decoder(stages, deadline):
        with stages.time("decode"):
            upright = _open(photo)
        with stages.time("preprocess"):
            return _Seen(to_tensor(upright), _shrink(upright, small) if small else None)


@contextmanager
def _decoder(stages: Stages, deadline: float) -> Iterator[None]:
    with stages.time("queue"):
        free = _decoders.acquire(timeout=max(0.0, deadline - time.monotonic()))
    if not free:
        raise Busy("Too many pictures are being read at this moment.")
    try:
        yield
    finally:
        _decoders.release()


def _open(photo: Photo) -> Image.Image:
    try:
        return open_upright(photo.data)
    except BadImage as error:
        if photo.filename is None:
            raise
        raise type(error)(f"{photo.filename}: {error}") from error


def _shrink(upright: Image.Image, side: int) -> Image.Image:
    # In place: nobody needs the large picture any more.
    upright.thumbnail((side, side), reducing_gap=2.0)
    return upright
