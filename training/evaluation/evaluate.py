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
from training.evaluation.measures import Answers, measures
from training.evaluation.slices import SLICES, Change
from webapp.imaging.preprocessing import IMAGE_SIZE

BATCH = 32


class Version:
    """An exported version, called through its signature `serving_default`."""

    def __init__(self, folder: Path, *, bfloat16: bool = False) -> None:
        """Loads the version in `folder`, e.g. `models/us_bills/1`.

        Args:
            folder: The version.
            bfloat16: Whether to compute in bfloat16, as servers do with
                `--mixed_precision=bfloat16`. Like there, it needs oneDNN.

        Raises:
            FileNotFoundError: There is no SavedModel.
        """
        if not (folder / "saved_model.pb").is_file():
            raise FileNotFoundError(f"{folder} holds no SavedModel (saved_model.pb).")
        self.folder = folder
        self._rewrites = {"auto_mixed_precision_onednn_bfloat16": bfloat16}
        self._loaded = tf.saved_model.load(str(folder))
        self._signature = self._loaded.signatures["serving_default"]

    def ask(self, photos: list[Photo], change: Change = SLICES["as it is"]) -> Answers:
        """Sends photos, each changed by `change`; those that cannot be read are left out."""
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
        """Asks about pictures, uint8 [N,224,224,3].

        Returns:
            Classes, bytes [N,C], and probabilities, float32 [N,C], the most likely first, and
            whether that is accepted, bool [N].
        """
        replies = [self._reply(pixels[i : i + BATCH]) for i in range(0, len(pixels), BATCH)]
        return tuple(map(np.concatenate, zip(*replies, strict=True)))

    def of_known_classes(self, photos: list[Photo]) -> list[Photo]:
        """Returns the photos of the model's classes and says which others there are.

        Raises:
            ValueError: No photo is of a class of the model's.
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
        """Returns the rate of the signature alone, on batches of 32 photos, after one to warm up.

        The batches are of photos, since the share that gets a second look depends on the pictures.
        """
        _, pixels = dataset.tensors(photos[:BATCH])
        batch = np.resize(pixels, (BATCH, *pixels.shape[1:]))
        self._reply(batch)
        began = time.monotonic()
        for _ in range(batches):
            self._reply(batch)
        return batches * BATCH / (time.monotonic() - began)

    def _reply(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
        # Of the process, not of the version: another one may have been asked in between.
        tf.config.optimizer.set_experimental_options(self._rewrites)
        outputs = self._signature(image=tf.constant(pixels))
        return tuple(outputs[name].numpy() for name in ("classes", "probabilities", "accepted"))


def evaluate(
    folder: Path, photos: list[Photo], *, slices: bool = False
) -> tuple[dict[str, Any], Answers]:
    """Returns the figures of a version on photos, ready for JSON, and its answers.

    Args:
        folder: The version, e.g. `models/us_bills/1`.
        photos: Photos of classes that the model has; others are left out.
        slices: Whether to add `slices`: the top-1 over the denominations under each of `SLICES`.

    Raises:
        FileNotFoundError: `folder` holds no SavedModel.
        ValueError: No photo is of a class of the model's.
    """
    version = Version(folder)
    photos = version.of_known_classes(photos)
    answers = version.ask(photos)
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
