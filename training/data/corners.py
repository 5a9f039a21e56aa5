"""Reads a file with the marked corners of whole bills in photos.

A folder of photos gives the class of a bill, but not its position. With its corners, a bill can be
cut out and straightened, or half of it can be covered.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.data import csv_files
from training.data.dataset import Photo

_COLUMNS = [f"{axis}{corner}" for corner in (1, 2, 3, 4) for axis in ("x", "y")]
# A bill may reach beyond its photo. Pixels and percent, which are no shares, go further.
_LEAST, _MOST = -0.5, 1.5


class Marked(NamedTuple):
    """A line of the file.

    Attributes:
        name: The photo, such as `20/a-1.jpg`.
        side: The side of the bill; empty if the file does not state it.
        corners: Clockwise from the bill's upper left, in shares of the photo, float32 [4,2].
    """

    name: str
    side: str
    corners: NDArray[np.float32]


def read(file: Path) -> list[Marked]:
    """Returns each marked bill.

    Args:
        file: CSV with the columns `file`, `x1`, `y1` to `x4`, `y4`, and perhaps `side`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no CSV in UTF-8, lacks a column, or a corner is no share of the
            photo.
    """
    return [
        Marked(row["file"], row.get("side", ""), _corners(row, f"{file}, line {line}"))
        for line, row in csv_files.rows(file, "file", *_COLUMNS)
    ]


def checked(file: str | Path | None, photos: list[Photo]) -> Path | None:
    """Returns the file, if one is given, after checking that it marks only photos of `photos`.

    Raises:
        ValueError: The file marks another photo; or see `read`.
    """
    if not file:
        return None
    known = {name_of(photo) for photo in photos}
    for marked in read(Path(file)):
        if marked.name not in known:
            raise ValueError(f"{file} marks {marked.name}, which is not among the photos.")
    return Path(file)


def name_of(photo: Photo) -> str:
    """Returns the name of a photo in the file."""
    return f"{photo.path.parent.name}/{photo.path.name}"


def _corners(row: dict[str, str], where: str) -> NDArray[np.float32]:
    values = [_share(row[column], f"{where}: {column}") for column in _COLUMNS]
    return np.array(values, np.float32).reshape(4, 2)


def _share(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not _LEAST <= number <= _MOST:
        raise ValueError(
            f"{where} is {text!r}. Expected a share of the photo's width or height: 0 to 1, or"
            f" {_LEAST} to {_MOST} where a bill reaches beyond it."
        )
    return number
