"""Cuts whole bills out of photos in which somebody has marked their corners.

A folder of somebody's photos has few that a bill fills. With its corners known any photo of a whole
bill gives a flat one, which scenes can be composed of.
"""

import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.augmentation.augment import BILL_ASPECT
from training.augmentation.camera import Pixels
from training.data.dataset import CACHED_SIDE, Photo

_COLUMNS = [f"{axis}{corner}" for corner in (1, 2, 3, 4) for axis in ("x", "y")]
_HEIGHT = round(CACHED_SIDE / BILL_ASPECT)
_FLAT = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [CACHED_SIDE, _HEIGHT]


def read(file: Path) -> list[tuple[str, NDArray[np.float32]]]:
    """Returns (photo, corners) of each marked bill.

    Args:
        file: CSV with the columns `file` (such as `20/a-1.jpg`), `x1`, `y1` to `x4`, `y4`: the
            corners clockwise from the bill's upper left, in shares of the photo.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has other columns, or a corner that is no number.
    """
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        if missing := {"file", *_COLUMNS} - set(rows.fieldnames or ()):
            raise ValueError(
                f"{file} has no columns {', '.join(sorted(missing))}. Expected file, x1, y1 to x4,"
                " y4."
            )
        return [(row["file"], _corners(row)) for row in rows]


def flat_bills(photos: list[Photo], file: Path) -> dict[str, list[Pixels]]:
    """Returns the marked bills by class, uint8 [170,400,3] each.

    Raises:
        ValueError: A marked photo is not among `photos`, or see `read`.
    """
    known = {f"{photo.path.parent.name}/{photo.path.name}": photo for photo in photos}
    bills: dict[str, list[Pixels]] = {}
    for name, corners in read(file):
        if name not in known:
            raise ValueError(f"{file} marks {name}, which is not among the photos.")
        picture = np.asarray(known[name].read())
        bills.setdefault(known[name].label, []).append(_flat(picture, corners))
    return bills


def _corners(row: dict[str, str]) -> NDArray[np.float32]:
    return np.array([float(row[column]) for column in _COLUMNS], np.float32).reshape(4, 2)


def _flat(picture: Pixels, corners: NDArray[np.float32]) -> Pixels:
    there = (corners * picture.shape[1::-1]).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(there, _FLAT.astype(np.float32))
    flat = cv2.warpPerspective(picture, matrix, (CACHED_SIDE, _HEIGHT), flags=cv2.INTER_AREA)
    return np.asarray(flat, np.uint8)
