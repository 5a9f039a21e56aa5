"""Cuts whole bills out of photos in which somebody has marked their corners.

A folder of somebody's photos has few that a bill fills. With its corners known any photo of a whole
bill gives a flat one, which scenes can be composed of.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from training.augmentation.augment import BILL_ASPECT
from training.augmentation.camera import Pixels
from training.data import corners
from training.data.dataset import CACHED_SIDE, Photo

_HEIGHT = round(CACHED_SIDE / BILL_ASPECT)
_FLAT = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [CACHED_SIDE, _HEIGHT]


class Flat(NamedTuple):
    """A bill that fills a picture.

    Attributes:
        label: Its class.
        side: The side that is seen, or empty.
        pixels: uint8 [H,W,3].
    """

    label: str
    side: str
    pixels: Pixels


def flat_bills(photos: list[Photo], file: Path) -> list[Flat]:
    """Returns the marked bills of some photos, uint8 [170,400,3] each.

    Raises:
        ValueError: See `corners.read`.
    """
    known = {corners.name_of(photo): photo for photo in photos}
    return [
        Flat(photo.label, marked.side, _flat(np.asarray(photo.read()), marked.corners))
        for marked in corners.read(file)
        if (photo := known.get(marked.name))
    ]


def _flat(picture: Pixels, there: NDArray[np.float32]) -> Pixels:
    place = (there * picture.shape[1::-1]).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(place, _FLAT.astype(np.float32))
    flat = cv2.warpPerspective(picture, matrix, (CACHED_SIDE, _HEIGHT), flags=cv2.INTER_AREA)
    return np.asarray(flat, np.uint8)
