"""Cuts whole bills out of photos in which somebody has marked their corners.

A folder of somebody's photos has few that a bill fills. With its corners known any photo of a whole
bill gives a flat one, which scenes can be composed of.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from training.augmentation.augment import BILL_ASPECT
from training.augmentation.camera import Pixels
from training.data.dataset import CACHED_SIDE, Photo

_COLUMNS = [f"{axis}{corner}" for corner in (1, 2, 3, 4) for axis in ("x", "y")]
_HEIGHT = round(CACHED_SIDE / BILL_ASPECT)
_FLAT = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [CACHED_SIDE, _HEIGHT]


class Marked(NamedTuple):
    """A line of the file.

    Attributes:
        name: The photo, such as `20/a-1.jpg`.
        side: The side of the bill, where the file says so, else empty.
        corners: Clockwise from the bill's upper left, in shares of the photo, float32 [4,2].
    """

    name: str
    side: str
    corners: NDArray[np.float32]


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


def read(file: Path) -> list[Marked]:
    """Returns each marked bill.

    Args:
        file: CSV with the columns `file`, `x1`, `y1` to `x4`, `y4`, and perhaps `side`.

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
        return [Marked(row["file"], row.get("side", ""), _corners(row)) for row in rows]


def checked(file: str | Path | None, photos: list[Photo]) -> Path | None:
    """Returns the file, if one is named, having made sure that it marks no photo that is not there.

    Raises:
        ValueError: Names the photo; or see `read`.
    """
    if not file:
        return None
    known = {_name(photo) for photo in photos}
    for marked in read(Path(file)):
        if marked.name not in known:
            raise ValueError(f"{file} marks {marked.name}, which is not among the photos.")
    return Path(file)


def flat_bills(photos: list[Photo], file: Path) -> list[Flat]:
    """Returns the marked bills of some photos, uint8 [170,400,3] each.

    Raises:
        ValueError: See `read`.
    """
    known = {_name(photo): photo for photo in photos}
    return [
        Flat(photo.label, marked.side, _flat(np.asarray(photo.read()), marked.corners))
        for marked in read(file)
        if (photo := known.get(marked.name))
    ]


def _name(photo: Photo) -> str:
    return f"{photo.path.parent.name}/{photo.path.name}"


def _corners(row: dict[str, str]) -> NDArray[np.float32]:
    return np.array([float(row[column]) for column in _COLUMNS], np.float32).reshape(4, 2)


def _flat(picture: Pixels, corners: NDArray[np.float32]) -> Pixels:
    there = (corners * picture.shape[1::-1]).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(there, _FLAT.astype(np.float32))
    flat = cv2.warpPerspective(picture, matrix, (CACHED_SIDE, _HEIGHT), flags=cv2.INTER_AREA)
    return np.asarray(flat, np.uint8)
