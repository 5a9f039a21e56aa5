"""Pictures of several bills: side by side, fanned, stacked, and the visible share of each."""

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation import layout
from training.augmentation.camera import Pixels

# A bill counts as seen if at least the first share of it is visible, and as hidden up to the second
# share. A picture with a bill in between is not used.
SEEN, HIDDEN = 0.2, 0.03


def side_by_side(bills: list[Pixels], rng: Generator) -> Pixels:
    """Returns photos of bills, uint8 [H,W,3] of any size, in a row or a column, as one picture."""
    below = bool(rng.random() < 0.6)
    axis, length = (0, 1) if below else (1, 0)
    side = max(bill.shape[length] for bill in bills)
    fitted = [_fitted(bill, length, side) for bill in bills]
    gap_shape = [int(side * rng.uniform(0.005, 0.12)), side]
    gap = np.full(
        [*(gap_shape if below else gap_shape[::-1]), 3], rng.integers(0, 256, 3), np.uint8
    )
    spaced = [fitted[0]]
    for bill in fitted[1:]:
        spaced += [gap, bill] if rng.random() < 0.6 else [bill]
    return np.concatenate(spaced, axis)


def laid_out(
    bills: list[Pixels], background: Pixels, rng: Generator
) -> tuple[Pixels, NDArray[np.float64]]:
    """Lays flat bills on a background: apart, overlapping, fanned or stacked.

    Args:
        bills: uint8 [H,W,3] RGB, each filling its picture; the last lies on top.
        background: uint8 [H,W,3] RGB.
        rng: The only source of randomness.

    Returns:
        uint8 [448,448,3] RGB, and the visible share of each bill's area, float64 [len(bills)].
    """
    canvas = layout.table(background, rng)
    quads = _places(bills, rng)
    owner = np.zeros(canvas.shape[:2], np.uint8)
    for number, (bill, quad) in enumerate(zip(bills, quads, strict=True), 1):
        layout.paste(bill, quad, canvas)
        cv2.fillConvexPoly(owner, quad.astype(np.int32), number)
    seen = np.bincount(owner.ravel(), minlength=len(bills) + 1)[1:]
    return canvas, seen / np.maximum(1, [cv2.contourArea(quad) for quad in quads])


def _places(bills: list[Pixels], rng: Generator) -> list[NDArray[np.float32]]:
    """Returns the corners of each bill: random ones, or those of the first, moved and turned."""
    size, turn = rng.uniform(0.4, 0.85), rng.uniform(0, 2 * math.pi)
    if rng.random() < 0.5:
        return [
            layout.corners_of(
                bill, rng, size * rng.uniform(0.8, 1.1), turn + rng.normal(0, 0.5), 0.3
            )
            for bill in bills
        ]
    base = layout.corners_of(bills[0], rng, size, turn, 0.12)
    return [layout.beside(base, number, rng) if number else base for number in range(len(bills))]


def _fitted(picture: Pixels, axis: int, side: int) -> Pixels:
    """Returns a picture of `side` pixels along an axis, and at most twice that across it."""
    across = round(picture.shape[1 - axis] * side / picture.shape[axis])
    size = [0, 0]
    size[1 - axis], size[axis] = side, min(max(1, across), 2 * side)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
