"""Evaluates an exported SavedModel through its signature, as a client would call it."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.data import dataset
from training.data.dataset import Photo
from training.evaluation import model_card
from training.evaluation.measures import Answers, measures
from training.evaluation.slices import SLICES, Change
from webapp.imaging.preprocessing import IMAGE_SIZE

BATCH = 32


class Version:
    """An exported version, called through its signature `serving_default`."""

    def __init__(self, folder: Path, *, bfloat16: bool = False) -> None:
        """Loads the version in `folder`, e.g. `models/us_bills/1`.

        Args:
            folder: The folder of the version.
            bfloat16: Whether to compute in bfloat16, as servers do with
                `--mixed_precision=bfloat16`. Both need oneDNN.

        Raises:
            FileNotFoundError: There is no SavedModel.
            ValueError: It is a version of the counter.
        """
        if not (folder / "saved_model.pb").is_file():
            raise FileNotFoundError(f"{folder} holds no SavedModel (saved_model.pb).")
        if model_card.path(folder).is_file():  # A draft has none yet.
            model_card.read_classifier(folder)
        self.folder = folder
        self._rewrites = {"auto_mixed_precision_onednn_bfloat16": bfloat16}
        self._loaded = tf.saved_model.load(str(folder))
        self._signature = self._loaded.signatures["serving_default"]

    def ask(self, photos: list[Photo], change: Change = SLICES["as it is"]) -> Answers:
        """Returns the answers to photos, each changed by `change`; leaves out unreadable photos."""
        readable, pixels = dataset.tensors(photos, change)
        classes, probabilities, accepted = self.answers_to(pixels)
        by_name = np.argsort(classes, axis=1)
        return Answers(
            photos=readable,
            said=[name.decode() for name in classes[:, 0]],
            confidence=probabilities[:, 0],
            accepted=accepted,
            probabilities=np.take_along_axis(probabilities, by_name, axis=1),
        )

    def answers_to(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
        """Calls the signature on pictures, uint8 [N,224,224,3].

        Returns:
            Classes, bytes [N,C], and probabilities, float32 [N,C], the most likely class first, and
            whether that class is accepted, bool [N].
        """
        replies = [self._reply(pixels[i : i + BATCH]) for i in range(0, len(pixels), BATCH)]
        return tuple(map(np.concatenate, zip(*replies, strict=True)))

    def of_known_classes(self, photos: list[Photo]) -> list[Photo]:
        """Returns the photos of the model's classes, and prints which other classes are left out.

        Raises:
            ValueError: No photo is of one of the model's classes.
        """
        known = {name.decode() for name in self._reply(_blank(1))[0][0]}
        kept = [photo for photo in photos if photo.label in known]
        foreign = dataset.counts(photo for photo in photos if photo.label not in known)
        advice = f"{self.folder} knows the classes {', '.join(sorted(known))} (see --relabel)."
        if not kept:
            raise ValueError(f"None of the photos can be judged: {foreign}. {advice}")
        if foreign:
            print(f"left out {foreign}: {advice}", file=sys.stderr)  # noqa: T201
        return kept

    def pictures_per_second(self, photos: list[Photo], batches: int = 2) -> float:
        """Returns the rate of the signature alone, on batches of 32 photos, after a warm-up batch.

        The batches hold real photos, since the share of second looks depends on the pictures.
        """
        _, pixels = dataset.tensors(photos[:BATCH])
        batch = np.resize(pixels, (BATCH, *pixels.shape[1:]))
        self._reply(batch)
        began = time.monotonic()
        for _ in range(batches):
            self._reply(batch)
        return batches * BATCH / (time.monotonic() - began)

    def _reply(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
        # The options are global to the process, and another version may have set them in between.
        tf.config.optimizer.set_experimental_options(self._rewrites)
        outputs = self._signature(image=tf.constant(pixels))
        return tuple(outputs[name].numpy() for name in ("classes", "probabilities", "accepted"))


def evaluate(
    folder: Path, photos: list[Photo], *, slices: bool = False
) -> tuple[dict[str, Any], Answers]:
    """Returns the figures of a version on photos, ready for JSON, and its answers.

    Args:
        folder: The folder of the version, e.g. `models/us_bills/1`.
        photos: Photos of the model's classes; others are left out.
        slices: Whether to add `slices`: the top-1 of the denominations under each of `SLICES`.

    Raises:
        FileNotFoundError: `folder` holds no SavedModel.
        ValueError: No photo is of one of the model's classes, or none can be read.
    """
    version = Version(folder)
    answers = version.ask(version.of_known_classes(photos))
    photos = answers.photos
    figures = {**measures(answers), "pictures_per_second": version.pictures_per_second(photos)}
    bills = [photo for photo in photos if photo.label != dataset.OTHER]
    if slices and bills:
        figures["slices"] = {
            name: measures(version.ask(bills, change))["top_1_denominations"]
            for name, change in SLICES.items()
        }
    return figures, answers


def _blank(count: int) -> NDArray[np.uint8]:
    return np.zeros((count, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
