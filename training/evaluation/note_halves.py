"""Measures whether half of a note is enough: covers the other half, wherever the note lies.

Half of a *photo* may show a whole note, or none. These are halves of the note itself, in photos in
which somebody has marked the note's corners.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.data import corners, dataset
from training.data.dataset import Photo
from training.evaluation.evaluate import Version
from training.evaluation.measures import share
from training.evaluation.slices import TABLE
from webapp.imaging.preprocessing import to_tensor

HALVES = {"left half of the note": (0, 3), "right half of the note": (1, 2)}
"""The corners of a note that belong to the half that stays visible."""


def covered(photo: Image.Image, marked: NDArray[np.float32], seen: Sequence[int]) -> Image.Image:
    """Covers half of a note with a plain colour, like an object that lies on it.

    Args:
        photo: The whole photo, RGB.
        marked: The note's corners, clockwise from its upper left, in shares of the photo [4,2].
        seen: The two corners that stay visible, the upper one first.
    """
    place = marked * photo.size
    top, bottom = (place[0] + place[1]) / 2, (place[3] + place[2]) / 2
    hidden = [corner for corner in range(4) if corner not in seen]
    edge = [top, *place[hidden], bottom]
    half = photo.copy()
    ImageDraw.Draw(half).polygon([(float(x), float(y)) for x, y in edge], TABLE)
    return half


def evaluate_halves(folder: Path, photos: list[Photo], file: Path) -> dict[str, Any]:
    """Returns, for each half, how many notes get the right class.

    Args:
        folder: The folder of the version.
        photos: The photos; some of them must be marked. Those of classes that the version does not
            know, and those that cannot be read, are left out.
        file: The corners of whole notes, see `corners`.

    Raises:
        FileNotFoundError: `folder` holds no SavedModel, or there is no such file.
        ValueError: The file marks none of the photos; or see `corners.read`.
    """
    version, marked = Version(folder), corners.read(file)
    names = {each.name for each in marked}
    judged = [p for p in version.of_known_classes(photos) if corners.name_of(p) in names]
    if not judged:
        raise ValueError(f"{file} marks none of the {len(photos)} photos. Expected some of them.")
    known = {corners.name_of(photo): photo for photo in dataset.readable(judged)}
    notes = [(known[each.name], each) for each in marked if each.name in known]
    figures = {}
    for half, seen in HALVES.items():
        views = [to_tensor(covered(photo.read(), each.corners, seen)) for photo, each in notes]
        said, _, _ = version.answers_to(np.stack(views))
        right = [a.decode() == photo.label for a, (photo, _) in zip(said[:, 0], notes, strict=True)]
        figures[half] = share(np.array(right))
    return figures
