"""Bills that do not lie flat: a curl or a fold moves their columns up or down, and shades them."""

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation.camera import Pixels
from training.counting.scenes.places import Quad

_MOST = 0.3
"""The largest movement of a column, as a share of the bill's height."""


def lay_bent(bill: Pixels, place: Quad, canvas: Pixels, rng: Generator) -> NDArray[np.bool_]:
    """Lays a bill that is curled or folded into `canvas`, which is changed.

    The area of the bill stays the same; its outline follows the bend.

    Args:
        bill: uint8 [H,W,3]; the bill fills the picture.
        place: The corners of the bill if it were flat.
        canvas: uint8 [h,w,3].
        rng: The only source of randomness.

    Returns:
        The pixels that show the bill, bool [h,w].
    """
    rise = _rise(bill.shape[1], rng)
    pixels, mask = _bent(bill, rise * bill.shape[0], rng)
    matrix = _onto_canvas(bill.shape[:2], pixels.shape[0], place)
    size = canvas.shape[1::-1]
    laid = cv2.warpPerspective(pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    where = cv2.warpPerspective(mask, matrix, size) > 127
    canvas[where] = laid[where]
    return np.asarray(where, bool)


def _rise(width: int, rng: Generator) -> NDArray[np.float32]:
    """Returns the movement of each column, as a share of the height: a curl or a fold."""
    across = np.linspace(0, 1, width)
    most = rng.uniform(0.05, _MOST) * rng.choice([-1, 1])
    if rng.random() < 0.6:
        top = rng.uniform(0.3, 0.7)
        shape = 1 - ((across - top) / max(top, 1 - top)) ** 2
    else:
        fold = rng.uniform(0.2, 0.8)
        shape = 1 - np.abs(across - fold) / max(fold, 1 - fold)
    return np.asarray(most * shape, np.float32)


def _bent(
    bill: Pixels, rise: NDArray[np.float32], rng: Generator
) -> tuple[Pixels, NDArray[np.uint8]]:
    """Returns the bill with its columns moved by `rise` pixels, on a higher picture, and its mask.

    Parts that rise towards the light are lighter than parts that fall away from it.
    """
    height, width = bill.shape[:2]
    more = math.ceil(float(np.abs(rise).max()))
    y, x = np.mgrid[-more : height + more, :width].astype(np.float32)
    source = y - rise[None]
    pixels = cv2.remap(bill, x, source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    light = np.clip(1 + rng.uniform(-0.6, 0.6) * np.gradient(rise), 0.5, 1.3)
    mask = ((source >= 0) & (source <= height - 1)).astype(np.uint8) * 255
    return np.clip(pixels * light[None, :, None], 0, 255).astype(np.uint8), mask


def _onto_canvas(flat: tuple[int, int], higher: int, place: Quad) -> NDArray[np.float64]:
    """Returns the projection onto `place` of a higher picture, with the flat bill in its middle."""
    height, width = flat
    top = (higher - height) / 2
    corners = np.array([[0, top], [width, top], [width, top + height], [0, top + height]])
    return np.asarray(cv2.getPerspectiveTransform(corners.astype(np.float32), place), np.float64)
