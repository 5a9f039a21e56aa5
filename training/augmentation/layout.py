"""Places pictures in a scene: their corners, and the perspective of a tilted camera."""

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation.camera import Pixels
from webapp.imaging.preprocessing import IMAGE_SIZE

_Floats = NDArray[np.float32]

SIDE = 2 * IMAGE_SIZE
"""The side of a scene: larger than a view, then averaged down, so that small bills are smooth."""


def table(background: Pixels, rng: Generator) -> Pixels:
    """Returns a random part of a picture as the background of bills, uint8 [448,448,3]."""
    part = _random_crop(background, rng)
    return np.asarray(cv2.resize(part, (SIDE, SIDE)), np.uint8)


def beside(corners: _Floats, number: int, rng: Generator) -> _Floats:
    """Returns the corners of the note that is `number` places further down in a fan."""
    turn = number * rng.uniform(0.1, 0.4)
    c, s = math.cos(turn), math.sin(turn)
    pivot = corners[3] + (corners[2] - corners[3]) * rng.uniform(0, 0.5)
    slide = (corners[0] - corners[3]) * rng.uniform(-0.2, 0.5)
    return np.asarray((corners - pivot) @ np.array([[c, s], [-s, c]]) + pivot + slide, np.float32)


def corners_of(photo: Pixels, rng: Generator, size: float, turn: float, drift: float) -> _Floats:
    """Returns the photo's corners, float32 [4,2], in pixels of the larger square.

    The square is a frame of random aspect ratio that preprocessing has stretched, so the corners
    are placed in that frame first. `size` is the photo's longer side over the frame's.
    """
    height, width = photo.shape[:2]
    stretch = math.exp(rng.uniform(-0.5, 0.5))  # 16:9 either way is +-0.57
    half = np.array([width, height]) * size / (2 * max(width, height))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    # Corners move less than half the shorter side, so that the sheet never turns over.
    corners += np.clip(rng.normal(0, 0.05 * size, (4, 2)), -0.45 * half.min(), 0.45 * half.min())
    c, s = math.cos(turn), math.sin(turn)
    corners = corners @ np.array([[c, s], [-s, c]])
    corners *= [math.sqrt(stretch), 1 / math.sqrt(stretch)]
    corners += 0.5 + rng.uniform(-drift, drift, 2)
    return np.asarray(corners * SIDE, np.float32)


def paste(photo: Pixels, corners: _Floats, canvas: Pixels) -> Pixels:
    """Lays the photo into `canvas`, which is changed and returned."""
    height, width = photo.shape[:2]
    whole = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(whole, corners)
    cv2.warpPerspective(
        photo, matrix, canvas.shape[1::-1], dst=canvas, borderMode=cv2.BORDER_TRANSPARENT
    )
    return canvas


def shrunk(canvas: Pixels) -> Pixels:
    """Returns a picture of any shape, stretched to uint8 [224,224,3]."""
    small = cv2.resize(canvas, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _random_crop(picture: Pixels, rng: Generator) -> Pixels:
    height, width = (max(1, int(side * rng.uniform(0.5, 1))) for side in picture.shape[:2])
    top = int(rng.integers(0, picture.shape[0] - height + 1))
    left = int(rng.integers(0, picture.shape[1] - width + 1))
    return picture[top : top + height, left : left + width]
