"""Several frames next to each other, as in a row of photos, each with its own light and table."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation.camera import Pixels
from training.counting.scenes.scene import Frame, moved, resized

_PLAIN_GAP = 0.4
_HEIGHT = 320
"""The height of a row in pixels, before the joined frame is resized to a scene."""


def joined(frames: list[Frame], rng: Generator) -> Frame:
    """Returns two to four frames side by side, one below the other, or four as two rows."""
    if len(frames) == 4 and rng.random() < 0.7:
        rows = [_row(frames[:2], rng), _row(frames[2:], rng)]
        return _turned(_row([_turned(row) for row in rows], rng))
    if rng.random() < 0.5:
        return _row(frames, rng)
    return _turned(_row([_turned(frame) for frame in frames], rng))


def _row(frames: list[Frame], rng: Generator) -> Frame:
    """Returns frames of one height side by side, with the same gap between all of them or none."""
    gap = int(rng.integers(2, 24)) if rng.random() < _PLAIN_GAP else 0
    colour = rng.integers(0, 256, 3).astype(np.uint8)
    scaled = [resized(frame, (_width(frame), _HEIGHT)) for frame in frames]
    total = sum(frame.canvas.shape[1] for frame in scaled) + gap * (len(frames) - 1)
    canvas: Pixels = np.full((_HEIGHT, total, 3), colour, np.uint8)
    unclear, bills, left = np.zeros((_HEIGHT, total), bool), [], 0
    for frame in scaled:
        width = frame.canvas.shape[1]
        canvas[:, left : left + width] = frame.canvas
        unclear[:, left : left + width] = frame.unclear
        by, same = np.array([left, 0], np.float32), np.ones(2, np.float32)
        bills += [moved(bill, same, by) for bill in frame.bills]
        left += width + gap
    return Frame(canvas, bills, unclear, all(frame.empty for frame in frames))


def _width(frame: Frame) -> int:
    height, width = frame.canvas.shape[:2]
    return max(2, int(width * _HEIGHT / height))


def _turned(frame: Frame) -> Frame:
    """Transposes a frame, so that a row becomes a column or the reverse.

    Transposing mirrors the frame: a frame must be transposed twice before it is used.
    """

    def swapped(points: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.ascontiguousarray(points[..., ::-1])

    bills = [bill._replace(box=swapped(bill.box), spot=swapped(bill.spot)) for bill in frame.bills]
    canvas = np.ascontiguousarray(frame.canvas.transpose(1, 0, 2))
    return Frame(canvas, bills, np.ascontiguousarray(frame.unclear.T), frame.empty)
