"""What is seen of each bill of a scene."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from training.counting.scenes.places import Quad

SEEN, HIDDEN = 0.15, 0.02
"""A bill counts where this share of it lies open, and is hidden below the other; between both
nobody could say, and the scene's target leaves the place out."""

_RIDGE = 0.85
"""The share of the widest place's radius that another place needs to stand for it."""


class Bill(NamedTuple):
    """What is seen of a bill.

    Attributes:
        label: Its class.
        box: Corners of the seen part, a rectangle in the bill's own frame, float32 [4,2], in
            shares of the scene, clockwise from the bill's upper left.
        seen: The share of the bill that is seen.
        spot: Where the seen part is widest, float32 [2], in shares of the scene: the middle of a
            bill that lies open, and never on another one.
        radius: How far what is not seen is from there, in shares of the scene.
    """

    label: str
    box: Quad
    seen: float
    spot: NDArray[np.float32]
    radius: float


def visible(
    laid: list[tuple[str, Quad]], owner: NDArray[np.int16]
) -> tuple[list[Bill], NDArray[np.bool_]]:
    """Returns the bills to count, in pixels, and where it is unclear whether there is one.

    Args:
        laid: The class and the corners of each bill, in pixels.
        owner: Which of them each pixel shows, int16 [H,W]: 1 for the first, 0 for none, -1 for
            what is neither a bill to count nor surely none.
    """
    bills, unclear = [], owner == -1
    for number, (label, place) in enumerate(laid, 1):
        mine = owner == number
        seen = float(mine.sum() / max(1.0, cv2.contourArea(place)))
        if seen >= SEEN:
            box = _box(place, mine)
            bills.append(Bill(label, box, seen, *_widest(mine, box.mean(0))))
        elif seen >= HIDDEN:
            unclear |= mine
    return bills, unclear


_UNIT = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


def _box(place: Quad, mine: NDArray[np.bool_]) -> Quad:
    """Returns the corners of the seen part's bounding box in the frame of the bill itself."""
    there = cv2.getPerspectiveTransform(place, _UNIT)
    points = np.argwhere(mine)[:, ::-1].astype(np.float32)[:, None]
    inside = cv2.perspectiveTransform(points, there)[:, 0]
    (left, top), (right, bottom) = np.percentile(inside, (0.5, 99.5), axis=0)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    back = cv2.getPerspectiveTransform(_UNIT, place)
    return np.asarray(cv2.perspectiveTransform(corners[:, None], back)[:, 0], np.float32)


def _widest(mine: NDArray[np.bool_], middle: NDArray[np.float32]) -> tuple[Quad, float]:
    """Returns where a seen part is widest, float32 [2], and how far its edge is; both in pixels.

    Of the points that are nearly as far from the edge, the one nearest to the box's middle: the
    ridge of a whole bill is a line.
    """
    inside = cv2.copyMakeBorder(mine.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    away = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
    radius = float(away.max())
    ridge = np.argwhere(away >= _RIDGE * radius)[:, ::-1].astype(np.float32)
    return ridge[np.argmin(((ridge - middle) ** 2).sum(1))], radius
