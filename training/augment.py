"""What hands and tables do to a bill: training views of a photo.

Every view is the photo seen by a tilted, imperfect camera, on its own surroundings or on those of
another photo. Nothing is ever mirrored: no bill is.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from webapp.preprocessing import IMAGE_SIZE

Pixels = NDArray[np.uint8]
_Floats = NDArray[np.float32]

# Rendered larger and then averaged down, so that small bills are not jagged.
_SUPERSAMPLED = 2 * IMAGE_SIZE


@dataclass(frozen=True)
class Strength:
    """How often each thing happens, as probabilities."""

    composite: float = 0.45
    turn: float = 0.75
    finger: float = 0.25
    shadow: float = 0.3
    colour: float = 0.8
    blur: float = 0.3
    noise: float = 0.3
    jpeg: float = 0.5


def view(
    photo: Pixels, background: Pixels, rng: Generator, strength: Strength | None = None
) -> Pixels:
    """Returns one random view of a photo.

    Args:
        photo: uint8 [H,W,3] RGB, any size.
        background: uint8 [H,W,3] RGB: what lies behind a composited photo.
        rng: The only source of chance: the same state gives the same view.
        strength: How often each thing happens.

    Returns:
        uint8 [224,224,3] RGB.
    """
    odds = strength or Strength()
    if rng.random() < odds.composite:
        pixels = _on_table(photo, background, rng)
    else:
        pixels = _reframed(photo, rng, odds)
    if rng.random() < odds.finger:
        pixels = _cover(pixels, rng)
    return _camera(pixels, rng, odds)


def _on_table(photo: Pixels, background: Pixels, rng: Generator) -> Pixels:
    """The photo lies on another one: any turn, far or near, partly out of the frame."""
    size = rng.uniform(0.35, 1.25)
    quad = _quad(photo, rng, size, turn=rng.uniform(0, 2 * math.pi), drift=0.25 + 0.15 * size)
    table = cv2.resize(_random_crop(background, rng), (_SUPERSAMPLED, _SUPERSAMPLED))
    return _paste(photo, quad, np.asarray(table, np.uint8))


def _reframed(photo: Pixels, rng: Generator, odds: Strength) -> Pixels:
    """The photo itself, turned and zoomed; what the camera did not see is a plain colour."""
    turn = rng.uniform(0, 2 * math.pi) if rng.random() < odds.turn else rng.normal(0, 0.1)
    size = math.exp(rng.uniform(math.log(0.7), math.log(1.5)))
    quad = _quad(photo, rng, size, turn, drift=0.1 + 0.12 * size)
    plain = np.full((_SUPERSAMPLED, _SUPERSAMPLED, 3), rng.integers(0, 256, 3), np.uint8)
    return _paste(photo, quad, plain)


def _quad(photo: Pixels, rng: Generator, size: float, turn: float, drift: float) -> _Floats:
    """Where the photo's corners land, float32 [4,2], in pixels of the supersampled square.

    The square is a frame of random aspect ratio that preprocessing has stretched, so the corners
    are placed in that frame first. `size` is the photo's longer side over the frame's.
    """
    height, width = photo.shape[:2]
    stretch = math.exp(rng.uniform(-0.5, 0.5))  # 16:9 either way is +-0.57
    half = np.array([width, height]) * size / (2 * max(width, height))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    corners += rng.normal(0, 0.05, (4, 2)) * size
    c, s = math.cos(turn), math.sin(turn)
    corners = corners @ np.array([[c, s], [-s, c]])
    corners *= [math.sqrt(stretch), 1 / math.sqrt(stretch)]
    corners += 0.5 + rng.uniform(-drift, drift, 2)
    return np.asarray(corners * _SUPERSAMPLED, np.float32)


def _paste(photo: Pixels, quad: _Floats, canvas: Pixels) -> Pixels:
    height, width = photo.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, quad)
    cv2.warpPerspective(
        photo, matrix, canvas.shape[1::-1], dst=canvas, borderMode=cv2.BORDER_TRANSPARENT
    )
    return np.asarray(
        cv2.resize(canvas, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA), np.uint8
    )


def _random_crop(picture: Pixels, rng: Generator) -> Pixels:
    height, width = (int(side * rng.uniform(0.5, 1)) for side in picture.shape[:2])
    top = int(rng.integers(0, picture.shape[0] - height + 1))
    left = int(rng.integers(0, picture.shape[1] - width + 1))
    return picture[top : top + max(1, height), left : left + max(1, width)]


def _cover(pixels: Pixels, rng: Generator) -> Pixels:
    """Something lies over part of the picture: a finger, a thing, the edge of a pocket."""
    covered = pixels.copy()
    centre = rng.uniform(0, IMAGE_SIZE, 2)
    axes = rng.uniform(0.06, 0.28, 2) * IMAGE_SIZE
    colour = _skin(rng) if rng.random() < 0.5 else rng.integers(0, 256, 3)
    cv2.ellipse(
        covered,
        (int(centre[0]), int(centre[1])),
        (int(axes[0]), int(axes[1])),
        float(rng.uniform(0, 180)),
        0,
        360,
        [int(c) for c in colour],
        -1,
    )
    return covered


def _skin(rng: Generator) -> NDArray[np.int64]:
    light, dark = np.array([240, 200, 175]), np.array([80, 50, 35])
    mix = rng.random()
    return np.asarray(light * mix + dark * (1 - mix), np.int64)


def _camera(pixels: Pixels, rng: Generator, odds: Strength) -> Pixels:
    """Light, lens, sensor and file format."""
    if rng.random() < odds.colour:
        pixels = _light(pixels, rng)
    if rng.random() < odds.shadow:
        pixels = _shadow(pixels, rng)
    if rng.random() < odds.blur:
        pixels = _blur(pixels, rng)
    if rng.random() < odds.noise:
        grain = rng.normal(0, rng.uniform(2, 14), pixels.shape)
        pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    return _jpeg(pixels, rng) if rng.random() < odds.jpeg else pixels


def _light(pixels: Pixels, rng: Generator) -> Pixels:
    """Exposure, contrast, gamma, white balance, saturation, by one table per channel."""
    ramp = np.linspace(0, 1, 256) ** math.exp(rng.normal(0, 0.3))
    ramp = (ramp - 0.5) * math.exp(rng.normal(0, 0.2)) + 0.5
    gains = math.exp(rng.normal(-0.1, 0.3)) * np.exp(rng.normal(0, 0.1, 3))
    table = np.clip(ramp[:, None] * gains * 255, 0, 255).astype(np.uint8)
    lit = cv2.LUT(pixels, table.reshape(1, 256, 3))
    grey = cv2.cvtColor(cv2.cvtColor(lit, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    colourful = rng.uniform(0, 1.3)
    return np.asarray(cv2.addWeighted(lit, colourful, grey, 1 - colourful, 0), np.uint8)


def _shadow(pixels: Pixels, rng: Generator) -> Pixels:
    """A soft edge across the picture, darker or lighter on one side."""
    angle = rng.uniform(0, 2 * math.pi)
    y, x = np.mgrid[-1 : 1 : IMAGE_SIZE * 1j, -1 : 1 : IMAGE_SIZE * 1j]
    distance = x * math.cos(angle) + y * math.sin(angle) - rng.uniform(-0.6, 0.6)
    edge = 1 / (1 + np.exp(-np.clip(distance * rng.uniform(2, 20), -30, 30)))
    gain = 1 + (rng.uniform(0.35, 1.5) - 1) * edge
    return np.asarray(np.clip(pixels * gain[..., None], 0, 255), np.uint8)


def _blur(pixels: Pixels, rng: Generator) -> Pixels:
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.5, 2.2)), np.uint8)
    length = int(rng.integers(3, 10))
    streak = np.zeros((length, length), np.float32)
    streak[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), rng.uniform(0, 180), 1)
    kernel = cv2.warpAffine(streak, turn, (length, length))
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()), np.uint8)


def _jpeg(pixels: Pixels, rng: Generator) -> Pixels:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))]
    return np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", pixels, quality)[1], cv2.IMREAD_COLOR), np.uint8
    )
