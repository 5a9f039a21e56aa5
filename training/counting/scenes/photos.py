"""Makes scenes of photos that show exactly one bill.

Composed scenes have no real hands, backgrounds, lights and close-ups. If a photo shows exactly one
bill and its corners are marked, its list is known as well as that of a composed scene.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation.camera import Pixels
from training.counting.scenes.scene import Frame, resized
from training.counting.scenes.visible import visible
from training.data import corners
from training.data.dataset import Photo

_TURNED, _CUT = 0.4, 0.4
_STRETCH = 0.2
"""The most that the logarithm of width over height changes, as if seen from the side."""
_LEAST = 0.55
"""The least share of a photo's sides that a part of the photo keeps."""


class Known(NamedTuple):
    """A photo of one bill.

    Attributes:
        label: The bill's class.
        place: The corners of the bill or its visible part, in shares of the photo, float32 [4,2].
        pixels: uint8 [H,W,3] RGB.
    """

    label: str
    place: NDArray[np.float32]
    pixels: Pixels


def known(photos: list[Photo], pictures: list[Pixels], file: Path) -> list[Known]:
    """Returns the photos whose only bill is marked in the file.

    Args:
        photos: The photos.
        pictures: The pixels of the photos, uint8 [H,W,3] each.
        file: The file with a line for each photo of a single bill, see `corners.read`.

    Raises:
        ValueError: See `corners.read`.
    """
    read = {corners.name_of(photo): n for n, photo in enumerate(photos)}
    return [
        Known(photos[n].label, marked.corners, pictures[n])
        for marked in corners.read(file)
        if (n := read.get(marked.name, -1)) >= 0
    ]


def framed(known: Sequence[Known], rng: Generator) -> Frame:
    """Returns a random photo as a frame, perhaps turned by right angles, perhaps only a part."""
    photo = known[int(rng.integers(len(known)))]
    height, width = photo.pixels.shape[:2]
    owner = np.zeros((height, width), np.int16)
    place = np.asarray(photo.place * [width, height], np.float32)
    cv2.fillConvexPoly(owner, np.rint(place).astype(np.int32), 1)
    canvas = photo.pixels
    if rng.random() < _CUT:
        part, start = _part(place, (width, height), rng)
        canvas, owner, place = canvas[part], owner[part], place - start
    if rng.random() < _TURNED:
        canvas, owner, place = _turned(canvas, owner, place, int(rng.integers(1, 4)))
    frame = Frame(np.ascontiguousarray(canvas), *visible([(photo.label, place)], owner))
    height, width = frame.canvas.shape[:2]
    stretch = float(np.exp(rng.uniform(-_STRETCH, _STRETCH) / 2))
    return resized(frame, (max(2, round(width * stretch)), max(2, round(height / stretch))))


def _part(
    place: NDArray[np.float32], size: tuple[int, int], rng: Generator
) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
    """Returns a part of a photo that contains the middle of its bill, and the part's origin."""
    whole = np.array(size)
    part = np.maximum(2, (whole * rng.uniform(_LEAST, 1, 2)).astype(int))
    middle = place.mean(0)
    least = np.maximum(0, np.ceil(middle - 0.9 * part)).astype(int)
    most = np.minimum(whole - part, np.floor(middle - 0.1 * part)).astype(int)
    left, top = (int(rng.integers(a, max(a, b) + 1)) for a, b in zip(least, most, strict=True))
    width, height = part
    return np.s_[top : top + height, left : left + width], np.array([left, top], np.float32)


def _turned(
    canvas: Pixels, owner: NDArray[np.int16], place: NDArray[np.float32], quarters: int
) -> tuple[Pixels, NDArray[np.int16], NDArray[np.float32]]:
    """Turns a picture, its owners and its place counter-clockwise by right angles."""
    for _ in range(quarters):
        place = np.stack([place[:, 1], canvas.shape[1] - place[:, 0]], axis=1)
        canvas, owner = np.rot90(canvas), np.rot90(owner)
    return canvas, np.ascontiguousarray(owner), place
