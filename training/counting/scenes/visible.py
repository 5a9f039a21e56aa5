"""The visible part of each bill of a scene."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from training.counting.scenes.places import Quad

SEEN, HIDDEN = 0.15, 0.02
"""A bill counts from the first share of visible area, and is hidden below the second share. In
between nobody could say whether it counts, and the scene's target leaves it out."""

_RIDGE = 0.85
"""The least radius of a place, as a share of the largest, that still counts as widest."""


class Bill(NamedTuple):
    """The visible part of a bill.

    Attributes:
        label: The class of the bill.
        box: Corners of the visible part, a rectangle in the bill's own frame, float32 [4,2], in
            shares of the scene, clockwise from the bill's upper left.
        seen: The visible share of the bill.
        spot: The point where the visible part is widest, float32 [2], in shares of the scene: the
            middle of a bill that is not covered, and never on another bill.
        radius: The distance from the spot to the edge of the visible part, in shares of the scene.
    """

    label: str
    box: Quad
    seen: float
    spot: NDArray[np.float32]
    radius: float


def visible(
    laid: list[tuple[str, Quad]], owner: NDArray[np.int16]
) -> tuple[list[Bill], NDArray[np.bool_]]:
    """Returns the bills to count, in pixels, and where it is unclear whether there is a bill.

    Args:
        laid: The class and the corners of each bill, in pixels.
        owner: The bill that each pixel shows, int16 [H,W]: 1 for the first bill, 0 for no bill, -1
            for things that are neither a bill to count nor surely no bill.
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
    """Returns the corners of the visible part's bounding box, which is aligned with the bill."""
    there = cv2.getPerspectiveTransform(place, _UNIT)
    points = np.argwhere(mine)[:, ::-1].astype(np.float32)[:, None]
    inside = cv2.perspectiveTransform(points, there)[:, 0]
    (left, top), (right, bottom) = np.percentile(inside, (0.5, 99.5), axis=0)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    back = cv2.getPerspectiveTransform(_UNIT, place)
    return np.asarray(cv2.perspectiveTransform(corners[:, None], back)[:, 0], np.float32)


def _widest(mine: NDArray[np.bool_], middle: NDArray[np.float32]) -> tuple[Quad, float]:
    """Returns where a visible part is widest, float32 [2], and its radius there, both in pixels.

    Of all points that are nearly widest, it is the one nearest to the box's middle, since the
    widest points of a whole bill form a line.
    """
    inside = cv2.copyMakeBorder(mine.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    away = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
    radius = float(away.max())
    ridge = np.argwhere(away >= _RIDGE * radius)[:, ::-1].astype(np.float32)
    return ridge[np.argmin(((ridge - middle) ** 2).sum(1))], radius
