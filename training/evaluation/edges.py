"""Measures how often a version accepts an answer to pictures of several, no, or made-up bills.

The pictures are made from photos, and are always the same for the same photos. The made-up values
and their fonts differ from those in training.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.augmentation import augment, layout
from training.augmentation.camera import Pixels
from training.augmentation.edges import Edges
from training.augmentation.made_up import HELD_OUT_FONTS, HELD_OUT_VALUES
from training.augmentation.views import one_hot
from training.data import dataset
from training.data.dataset import OTHER, Photo
from training.evaluation.evaluate import Version
from training.evaluation.measures import share

EACH = 200
SEED = 24


def evaluate_edges(folder: Path, photos: list[Photo]) -> dict[str, Any]:
    """Returns, for each kind of picture, how many of 200 get an accepted answer that is a bill.

    For pictures of several bills every accepted answer counts, including "not a bill".

    Args:
        folder: The folder of the version.
        photos: Bills of at least two denominations, and `Other`.

    Raises:
        FileNotFoundError: `folder` holds no SavedModel.
        ValueError: No photo is of one of the model's classes.
    """
    version = Version(folder)
    photos, pictures = dataset.load(version.of_known_classes(photos))
    figures = {}
    for kind, made in _pictures(photos, pictures).items():
        said, _, accepted = version.answers_to(made)
        counts = (
            accepted if kind.startswith("several") else accepted & (said[:, 0] != OTHER.encode())
        )
        figures[kind] = share(counts)
    return figures


def _pictures(photos: list[Photo], pictures: list[Pixels]) -> dict[str, NDArray[np.uint8]]:
    """Returns uint8 [200,224,224,3] of each kind that the photos suffice for."""
    classes = dataset.classes_of(photos)
    labels, behind = one_hot(photos, classes), dataset.backgrounds(photos, pictures)
    edges = Edges(
        pictures,
        labels,
        classes,
        behind,
        augment.EffectProbabilities(),
        values=HELD_OUT_VALUES,
        fonts=HELD_OUT_FONTS,
    )
    rng = np.random.default_rng(SEED)
    made = {kind: [edges.draw(kind, rng)[0] for _ in range(EACH)] for kind in edges.kinds}
    if "several" in made:
        bills = [
            (p, photo.label)
            for photo, p in zip(photos, pictures, strict=True)
            if photo.label != OTHER
        ]
        made["several: two side by side, as they are"] = [_pair(bills, rng) for _ in range(EACH)]
        made["several: laid out or side by side, hard views"] = made.pop("several")
    return {kind: np.stack(views) for kind, views in made.items()}


def _pair(bills: list[tuple[Pixels, str]], rng: np.random.Generator) -> Pixels:
    """Returns photos of two different denominations, of one height, side by side."""
    while True:
        (left, one), (right, other) = (
            bills[int(i)] for i in rng.choice(len(bills), 2, replace=False)
        )
        if one != other:
            return layout.shrunk(np.hstack([_of_height(left), _of_height(right)]))


def _of_height(picture: Pixels, height: int = 300) -> Pixels:
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
