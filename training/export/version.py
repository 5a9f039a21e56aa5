"""Makes a version from a run: calibrated, exported, measured, and published by one rename."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from serving.wire.messages_pb2 import PredictionLog
from serving.wire.tensors import to_proto
from training import fit
from training.augmentation.camera import Pixels
from training.augmentation.views import hard_views, one_hot
from training.data import dataset
from training.data.dataset import Photo
from training.data.split import held_out_of
from training.evaluation import evaluate, model_card
from training.export.calibration import (
    Calibration,
    Selection,
    best_temperature,
    select,
    softmax,
)
from training.export.second_look import SURE, after_second_look, choose_below
from training.export.signatures import IMAGE, disk_errors, write_saved_model
from training.rehearsal import parts
from training.rehearsal.rehearsal import Rehearsal, gather

# A server whose `max_batch_size` is below a warm-up request could not load the version.
WARM_UP_BATCHES = (1, 8)
WARM_UP = "tf_serving_warmup_requests"

WarmUp = list[tuple[str, str, NDArray[Any]]]
"""The name of a signature and of its input, and one value, [1,...]."""


class CalibrationSet(NamedTuple):
    """N pictures that a version is calibrated on.

    Attributes:
        pixels: The pictures, uint8 [N,224,224,3].
        labels: The indices of their classes, int [N].
        unchanged: How many of them, the first ones, are unchanged photos; the others are views.
    """

    pixels: Pixels
    labels: NDArray[np.integer]
    unchanged: int


def export(
    run: Path,
    photos: list[Photo],
    measured_on: list[Photo],
    models: Path,
    risk: float,
    second_look_below: float | None = 0.0,
    *,
    names: dict[str, Any] | None = None,
) -> Path:
    """Makes the next version of the classifier trained in `run`.

    Args:
        run: The folder of a run that finished at least one epoch.
        photos: The photos of the run; the held-out part calibrates the version.
        measured_on: Photos for the figures of the model card, best from another source; may be
            empty.
        models: The folder of all versions, e.g. `models/us_bills`.
        risk: The share of wrong answers tolerated among accepted ones.
        second_look_below: Pictures with a lower probability get a second look; 0: none does; None:
            the value is chosen by its gain on the held-out photos.
        names: The values and words of classes, for the model card.

    Returns:
        The folder of the new version.

    Raises:
        FileNotFoundError: `run` is not a finished run.
        ValueError: The photos are not those of the run, or `names` has an unknown class.
    """
    model, facts = fit.load(run)
    facts = model_card.with_names(facts, names or {})
    held_out = held_out_of(facts, photos)
    pictures = _calibration_set(held_out, facts["classes"], facts["recipe"]["seed"])
    logits = model.predict(pictures.pixels, verbose=2)
    calibration, selection = _calibrated(model, pictures, logits, risk, second_look_below)
    with draft_beside(models) as draft:
        write_saved_model(draft, model, facts["classes"], calibration)
        # The least sure picture, because it is the most likely to get a second look.
        write_warm_up(
            draft, models.name, warm_up_of(pictures.pixels[softmax(logits).max(1).argmin()])
        )
        measured = {"held_out": _measure(draft, held_out)}
        if measured_on:
            measured["other_source"] = _measure(draft, measured_on, slices=True)
        chosen = {
            "risk": risk,
            "selection": selection._asdict(),
            "second_look_chosen": second_look_below is None,
            "measures": measured,
        }
        model_card.write(draft, {**facts, **calibration._asdict(), **chosen}, photos)
        _rehearsal(model, facts, photos, held_out).write(draft)
        return publish(draft, models)


def _calibrated(
    model: keras.Model,
    pictures: CalibrationSet,
    logits: NDArray[np.float32],
    risk: float,
    below: float | None,
) -> tuple[Calibration, Selection]:
    """Returns the calibration of the first look's `logits`, or of both looks if `below` is not 0.

    The temperature is that of the first look, since it decides which pictures get a second look.
    """
    labels = pictures.labels
    temperature = best_temperature(logits, labels)
    ceiling = SURE if below is None else below
    both = _after_both(model, pictures.pixels, logits, temperature, ceiling) / temperature
    first = logits / temperature
    if below is None:
        below = choose_below(first, both, labels)
        both = np.where((softmax(first).max(1) < below)[:, None], both, first)
    # Only the unchanged photos, which are independent of each other: the views repeat them.
    probabilities = softmax(both[: pictures.unchanged])
    right = probabilities.argmax(1) == labels[: pictures.unchanged]
    selection = select(probabilities.max(1), right, risk)
    return Calibration(temperature, selection.threshold, below), selection


def _after_both(
    model: keras.Model,
    pixels: Pixels,
    logits: NDArray[np.float32],
    temperature: float,
    below: float,
) -> NDArray[np.float32]:
    if not below:
        return logits
    looks = tf.function(lambda image: model(image, training=False), input_signature=[IMAGE])
    batches = (slice(i, i + evaluate.BATCH) for i in range(0, len(pixels), evaluate.BATCH))
    return np.concatenate(
        [after_second_look(looks, pixels[of], logits[of], temperature, below) for of in batches]
    )


def _calibration_set(photos: list[Photo], classes: list[str], seed: int) -> CalibrationSet:
    """Returns each photo unchanged and as a hard view (turned, dark, covered, far).

    Held-out photos come from the sources of the training photos, so they are easier than photos of
    other people; hard views are harder. A mix of equal parts lies between, like other photos.
    """
    readable, plain = dataset.tensors(photos)
    views, labels = hard_views(photos, classes, seed, each=1)
    both = np.concatenate([one_hot(readable, classes), labels])
    return CalibrationSet(np.concatenate([plain, views]), both.argmax(1), len(plain))


def _rehearsal(
    model: keras.Model, facts: dict[str, Any], photos: list[Photo], held_out: list[Photo]
) -> Rehearsal:
    """Returns the rehearsal set of the photos, which `teach` needs."""
    network = parts.divided(model, facts["recipe"]["backbone"])
    reserved = set(held_out)
    training = [photo for photo in photos if photo not in reserved]
    return gather(network, training, held_out, facts["classes"], facts["recipe"]["seed"])


def _measure(draft: Path, photos: list[Photo], *, slices: bool = False) -> dict[str, Any]:
    """Returns the figures without the long risk-coverage curve."""
    figures, _ = evaluate.evaluate(draft, photos, slices=slices)
    return {name: value for name, value in figures.items() if name != "risk_coverage"}


@contextmanager
def draft_beside(models: Path) -> Iterator[Path]:
    """Yields a path inside `models` to write a version to, and deletes it in the end."""
    models.mkdir(parents=True, exist_ok=True)
    draft = models / f".draft-{os.getpid()}"
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def publish(draft: Path, models: Path) -> Path:
    """Gives a finished version the next number, by one rename, and returns the new folder.

    A model server that watches `models` sees the whole version or nothing.
    """
    numbers = (int(path.name) for path in models.iterdir() if path.name.isdigit())
    return draft.rename(models / str(1 + max(numbers, default=0)))


def write_warm_up(
    folder: Path, model: str, inputs: WarmUp, batches: Sequence[int] = WARM_UP_BATCHES
) -> None:
    """Writes warm-up requests into `assets.extra`: one per input and batch size.

    TensorFlow Serving replays `PredictionLog` records from this file before a version becomes
    AVAILABLE: https://www.tensorflow.org/tfx/serving/saved_model_warmup
    """
    with disk_errors(), tf.io.TFRecordWriter(str(_extra(folder) / WARM_UP)) as records:
        for signature, name, value in inputs:
            for count in batches:
                log = PredictionLog()
                request = log.predict_log.request
                request.model_spec.name = model
                request.model_spec.signature_name = signature
                request.inputs[name].CopyFrom(to_proto(np.repeat(value, count, axis=0)))
                records.write(log.SerializeToString())


def warm_up_of(picture: NDArray[np.uint8]) -> WarmUp:
    """Returns an input for every signature of the classifier, made from uint8 [224,224,3]."""
    file = tf.io.encode_jpeg(picture).numpy()
    return [
        ("serving_default", "image", picture[None]),
        ("serve_bytes", "image_bytes", np.array([file], dtype=object)),
        ("explain", "image", picture[None]),
    ]


def _extra(folder: Path) -> Path:
    extra = folder / "assets.extra"
    extra.mkdir(exist_ok=True)
    return extra
