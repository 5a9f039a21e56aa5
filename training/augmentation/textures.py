"""Close-ups without a whole object: strokes, hatchings and ovals, or a small part of a picture.

The engraved patterns of a bill also occur elsewhere: in prints, paintings and cloth.
"""

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation.camera import Pixels

_SIDE = 320
_Colour = NDArray[np.int64]


def texture(picture: Pixels, rng: Generator) -> Pixels:
    """Returns a drawing of strokes, or a small part of `picture` (uint8 [H,W,3] RGB) enlarged."""
    close_up = rng.random() < 0.5
    pixels = _part_of(picture, rng) if close_up else _drawing(rng)
    if rng.random() < (0.5 if close_up else 0.8):
        pixels = np.repeat(pixels.mean(2, keepdims=True), 3, axis=2).astype(np.uint8)
    return pixels


def _part_of(picture: Pixels, rng: Generator) -> Pixels:
    height, width = picture.shape[:2]
    side = max(8, int(min(height, width) * rng.uniform(0.12, 0.4)))
    y, x = int(rng.integers(0, max(1, height - side))), int(rng.integers(0, max(1, width - side)))
    part = picture[y : y + side, x : x + side]
    return np.asarray(cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def _drawing(rng: Generator) -> Pixels:
    """Returns hatchings, strokes and ovals over patches of grey, as in a print."""
    paper, ink = rng.integers(110, 256, 3), rng.integers(0, 110, 3)
    pixels = np.full((_SIDE, _SIDE, 3), paper, np.uint8)
    _patches(pixels, paper, ink, rng)
    for _ in range(int(rng.integers(2, 9))):
        _hatching(pixels, _mixed(paper, ink, rng), rng)
    for _ in range(int(rng.integers(0, 7))):
        _ovals(pixels, _mixed(paper, ink, rng), rng)
    soft = float(rng.uniform(0.3, 2.5))
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), soft), np.uint8)


def _mixed(paper: _Colour, ink: _Colour, rng: Generator) -> list[int]:
    share = rng.uniform(0.4, 1)
    return [int(value) for value in ink * share + paper * (1 - share)]


def _patches(pixels: Pixels, paper: _Colour, ink: _Colour, rng: Generator) -> None:
    for _ in range(int(rng.integers(2, 10))):
        corners = rng.integers(-_SIDE // 4, _SIDE * 5 // 4, (int(rng.integers(3, 6)), 2))
        share = rng.uniform(0, 0.5)
        cv2.fillPoly(
            pixels, [corners.astype(np.int32)], (ink * share + paper * (1 - share)).tolist()
        )


def _hatching(pixels: Pixels, colour: list[int], rng: Generator) -> None:
    """Draws bent parallel lines across a region, perhaps crossed by others."""
    centre, reach = rng.uniform(0, _SIDE, 2), rng.uniform(40, _SIDE)
    pitch, thick = rng.uniform(4, 22), int(rng.integers(1, 5))
    bend = rng.uniform(-0.006, 0.006)
    crossings, first = 1 + int(rng.random() < 0.4), rng.uniform(0, math.pi)
    for turn in (first, first + math.pi / 2)[:crossings]:
        along = np.linspace(-reach / 2, reach / 2, 24)
        for offset in np.arange(-reach / 2, reach / 2, pitch):
            across = offset + bend * along**2 + rng.normal(0, pitch / 12, 24).cumsum() / 4
            x = centre[0] + along * math.cos(turn) - across * math.sin(turn)
            y = centre[1] + along * math.sin(turn) + across * math.cos(turn)
            line = np.stack([x, y], 1).astype(np.int32)
            cv2.polylines(pixels, [line], False, colour, thick, cv2.LINE_AA)


def _ovals(pixels: Pixels, colour: list[int], rng: Generator) -> None:
    """Draws ovals within each other, as of a seal or a button."""
    centre = [int(v) for v in rng.integers(0, _SIDE, 2)]
    axes, turn = rng.uniform(8, 110, 2), float(rng.uniform(0, 180))
    for scale in np.linspace(1, 0.4, int(rng.integers(1, 5))):
        size = [max(1, int(v)) for v in axes * scale]
        thick = int(rng.integers(1, 5))
        cv2.ellipse(pixels, centre, size, turn, 0, 360, colour, thick, cv2.LINE_AA)
