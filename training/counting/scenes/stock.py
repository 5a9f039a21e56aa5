"""The photos that scenes are made of: flat bills by class, notes, other things, backgrounds."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from training.augmentation.augment import BILL_ASPECT
from training.augmentation.camera import Pixels
from training.augmentation.made_up import is_flat
from training.counting.scenes.photos import Known, known
from training.data import corners, dataset
from training.data.dataset import CACHED_SIDE, OTHER, Photo

_HEIGHT = round(CACHED_SIDE / BILL_ASPECT)
_FLAT = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [CACHED_SIDE, _HEIGHT]


class Flat(NamedTuple):
    """A bill that fills a picture.

    Attributes:
        label: Its class.
        side: The visible side, or empty.
        pixels: uint8 [H,W,3].
    """

    label: str
    side: str
    pixels: Pixels


class Stock(NamedTuple):
    """The pictures that scenes are made of, uint8 [H,W,3] RGB each.

    Attributes:
        bills: Flat photos, which a bill fills, by class. A class has a list for each side of its
            bills, since scenes show each side equally often.
        notes: Flat photos of notes that are no US bills of the classes.
        things: Pictures of anything else, laid next to and over bills.
        backgrounds: The pictures that bills are laid on.
        known: Photos that show exactly one bill.
    """

    bills: dict[str, list[list[Pixels]]]
    notes: list[Pixels]
    things: list[Pixels]
    backgrounds: list[Pixels]
    known: Sequence[Known] = ()


def stock_of(
    photos: list[Photo],
    marked: Path | None = None,
    single: Path | None = None,
    *,
    alone: bool = False,
) -> Stock:
    """Reads photos and sorts them.

    Args:
        photos: All photos.
        marked: A file with the corners of bills in the photos, see `corners`.
        single: A file with the corners of the bill in photos that show exactly one bill.
        alone: Whether to use only the bills of `marked` as bills, and not also the photos that a
            bill fills.

    Raises:
        FileNotFoundError: `marked` or `single` does not exist.
        ValueError: There are flat photos of fewer than two classes of bills; or see `corners.read`.
    """
    readable, pictures = dataset.load(photos)
    bills = flat_bills(photos, marked) if marked else []
    notes: list[Pixels] = []
    things: list[Pixels] = []
    for photo, picture in zip(readable, pictures, strict=True):
        if photo.label != OTHER and is_flat(picture) and not alone:
            bills.append(Flat(photo.label, photo.side, picture))
        elif photo.label == OTHER:
            (notes if is_flat(picture) else things).append(picture)
    found = known(readable, pictures, single) if single else []
    return Stock(_sorted(bills), notes, things, dataset.backgrounds(readable, pictures), found)


def _sorted(bills: list[Flat]) -> dict[str, list[list[Pixels]]]:
    found: dict[str, dict[str, list[Pixels]]] = {}
    for bill in bills:
        found.setdefault(bill.label, {}).setdefault(bill.side, []).append(bill.pixels)
    if len(found) < 2:
        raise ValueError(
            f"There are photos that a whole bill fills of {list(found)} only. Expected some of at"
            " least two classes, about 2.35 times as wide as high."
        )
    return {label: list(sides.values()) for label, sides in found.items()}


def flat_bills(photos: list[Photo], file: Path) -> list[Flat]:
    """Returns the marked bills of the photos, uint8 [170,400,3] each.

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
