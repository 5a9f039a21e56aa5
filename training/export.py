"""Makes a version of a run: calibrated, exported, measured, and published by one rename."""

import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from serving.wire.messages_pb2 import PredictionLog
from serving.wire.tensors import to_proto
from training import dataset, evaluate, fit
from training.augment import view
from training.calibrate import calibrate
from training.dataset import Photo
from training.signatures import write_saved_model

# The most pictures that the front end sends in one request.
LARGEST_BATCH = 16
WARM_UP = "tf_serving_warmup_requests"
CARD = "model_card.json"


def export(
    run: Path, photos: list[Photo], measured_on: list[Photo], models: Path, risk: float
) -> Path:
    """Makes the next version of the classifier trained in `run`.

    Args:
        run: The folder of a run that finished at least one epoch.
        photos: The photos it was trained on; the part it did not see calibrates it.
        measured_on: Photos for the figures of the model card, best from another source; may be
            empty.
        models: Where versions live, e.g. `models/us_bills`.
        risk: The share of wrong answers tolerated among accepted ones.

    Returns:
        The folder of the new version.

    Raises:
        FileNotFoundError: `run` is not a finished run.
        ValueError: The photos are not those of the run.
    """
    model, facts = fit.load(run)
    held_out = _unseen(facts, photos)
    pixels, labels = hard_views(held_out, facts["classes"], facts["recipe"]["seed"])
    calibration = calibrate(model.predict(pixels, verbose=2), labels, risk)
    with draft_beside(models) as draft:
        write_saved_model(draft, model, facts["classes"], calibration)
        write_warm_up(draft, models.name, pixels[0])
        figures = _measure(draft, {"held_out": held_out, "other_source": measured_on})
        write_card(draft, {**facts, **calibration._asdict(), "risk": risk, "measures": figures})
        return publish(draft, models)


def hard_views(
    photos: list[Photo], classes: list[str], seed: int, each: int = 3
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Returns `each` random views of photos, uint8 [N,224,224,3], and class indices, int [N].

    The held-out photos come from the sources that the training saw, so as they are they look
    easier than a stranger's; turned, dark, covered and far away they do not.
    """
    rng = np.random.default_rng(seed)
    readable, pictures = dataset.load(photos)
    behind = dataset.backgrounds(readable, pictures)
    views = [
        view(picture, behind[rng.integers(len(behind))], rng)
        for picture in pictures
        for _ in range(each)
    ]
    labels = [classes.index(photo.label) for photo in readable for _ in range(each)]
    return np.stack(views), np.array(labels)


def _unseen(facts: dict[str, Any], photos: list[Photo]) -> list[Photo]:
    """Returns the photos that the run held out, having made sure that they are those."""
    _, held_out = dataset.split(photos, facts["recipe"]["seed"])
    if dataset.fingerprint(held_out) != facts["held_out_fingerprint"]:
        raise ValueError(
            "These are not the photos that the run was trained on, so it is unknown which of them"
            f" it has not seen. It was trained by: {facts['command']}"
        )
    return held_out


def _measure(draft: Path, sets: dict[str, list[Photo]]) -> dict[str, Any]:
    return {name: evaluate.evaluate(draft, photos) for name, photos in sets.items() if photos}


@contextmanager
def draft_beside(models: Path) -> Iterator[Path]:
    """Gives a folder to write a version in, on the file system of `models`; it does not last."""
    models.mkdir(parents=True, exist_ok=True)
    draft = models / f".draft-{os.getpid()}"
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def publish(draft: Path, models: Path) -> Path:
    """Gives a finished version the next number, by one rename, and returns its folder.

    A model server that watches `models` sees the whole version or nothing.
    """
    numbers = (int(path.name) for path in models.iterdir() if path.name.isdigit())
    return draft.rename(models / str(1 + max(numbers, default=0)))


def write_warm_up(folder: Path, model: str, picture: NDArray[np.uint8]) -> None:
    """Writes requests for every signature, one picture and the largest batch, as assets.extra.

    TensorFlow Serving replays `PredictionLog` records from this file before a version becomes
    AVAILABLE: https://www.tensorflow.org/tfx/serving/saved_model_warmup
    """
    with tf.io.TFRecordWriter(str(_extra(folder) / WARM_UP)) as records:
        for signature, name, value in _warm_up_inputs(picture):
            for count in (1, LARGEST_BATCH):
                log = PredictionLog()
                request = log.predict_log.request
                request.model_spec.name = model
                request.model_spec.signature_name = signature
                request.inputs[name].CopyFrom(to_proto(np.repeat(value, count, axis=0)))
                records.write(log.SerializeToString())


def _warm_up_inputs(picture: NDArray[np.uint8]) -> list[tuple[str, str, NDArray[Any]]]:
    file = tf.io.encode_jpeg(picture).numpy()
    return [
        ("serving_default", "image", picture[None]),
        ("serve_bytes", "image_bytes", np.array([file], dtype=object)),
        ("explain", "image", picture[None]),
    ]


def write_card(folder: Path, facts: dict[str, Any]) -> None:
    """Writes the model card, with the versions of the libraries that made the export."""
    libraries = {name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")}
    card = {**facts, "libraries": {"python": platform.python_version(), **libraries}}
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    (_extra(folder) / CARD).write_text(text, encoding="utf-8")


def _extra(folder: Path) -> Path:
    extra = folder / "assets.extra"
    extra.mkdir(exist_ok=True)
    return extra
