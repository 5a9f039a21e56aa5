"""Measures a version of the counter on fixed scenes, and on unchanged photos."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from training.counting.evaluation import judging
from training.counting.evaluation.judging import Answer, Counting
from training.counting.scenes.stock import Stock
from training.data.dataset import OTHER, Photo
from webapp.imaging.preprocessing import BadImage, letterboxed, open_upright

SEED = 11
SCENES = 200
"""The number of scenes of each kind, plain and hard."""


def signature(version: Path) -> Any:
    """Returns the signature of the version in a folder.

    Raises:
        OSError: The folder holds no SavedModel.
    """
    loaded = tf.saved_model.load(str(version))
    answer = loaded.signatures["serving_default"]
    answer.loaded = loaded  # keeps the model alive as long as its signature
    return answer


def counting(version: Path) -> Counting:
    """Returns the version in a folder as a function from pictures to classes."""
    answer = signature(version)
    return lambda pixels: read(answer(image=tf.constant(pixels)))


def names_of(answer: dict[str, tf.Tensor]) -> list[list[str]]:
    """Returns the classes of the bills found in each picture."""
    names, counts = answer["classes"].numpy().astype(str), answer["count"].numpy()
    return [row[:number].tolist() for row, number in zip(names, counts, strict=True)]


def read(answer: dict[str, tf.Tensor]) -> list[tuple[list[str], bool]]:
    """Returns the classes found in each picture, and whether they are accepted."""
    return list(zip(names_of(answer), answer["accepted"].numpy().tolist(), strict=True))


def of_scenes(version: Path, stock: Stock, number: int = SCENES) -> dict[str, Any]:
    """Returns the figures of each kind of scene, both unchanged and in hard light."""
    count, found = counting(version), {}
    for name, kind in judging.kinds_of(stock).items():
        for hard in (False, True):
            made = judging.scenes(kind, stock, SEED, number, hard=hard)
            title = f"{name}, hard" if hard else name
            found[title] = judging.figures(judging.answers(made, count))
    return found


def of_photos(version: Path, photos: list[Photo]) -> dict[str, Any]:
    """Returns how often only bills of a photo's class are found, and no bill at all in `Other`.

    A photo of a class may show several bills of the class; the right number is unknown.
    """
    count = counting(version)
    answers: dict[bool, list[Answer]] = {True: [], False: []}
    for photo in photos:
        try:
            picture = letterboxed(open_upright(photo.path.read_bytes()))
        except BadImage:
            continue
        ((found, sure),) = count(np.asarray(picture)[None])
        there = [] if photo.label == OTHER else [photo.label]
        answers[photo.label == OTHER].append(Answer(there, sorted(found), sure))
    return {"photos without bills": _none(answers[True]), "photos of bills": _own(answers[False])}


def _none(given: list[Answer]) -> dict[str, Any]:
    return {
        "no bills found": judging.ratio([not one.found for one in given]),
        "bills found, sure": judging.ratio([bool(one.found) and one.sure for one in given]),
    }


def _own(given: list[Answer]) -> dict[str, Any]:
    other = [bool(set(one.found) - set(one.there)) for one in given]
    return {
        "bills of its class alone": judging.ratio(
            [bool(one.found) and not wrong for one, wrong in zip(given, other, strict=True)]
        ),
        "the same, sure": judging.ratio(
            [bool(one.found) and not w and one.sure for one, w in zip(given, other, strict=True)]
        ),
        "a bill of another class, sure": judging.ratio(
            [w and one.sure for one, w in zip(given, other, strict=True)]
        ),
    }
