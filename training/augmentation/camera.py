"""Effects of light, lens, sensor and file format on a square picture."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from webapp.imaging.preprocessing import IMAGE_SIZE

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class EffectProbabilities:
    """The probability of each effect."""

    shadow: float = 0.3
    glare: float = 0.2
    colour: float = 0.8
    blur: float = 0.35
    noise: float = 0.3
    jpeg: float = 0.5


def shoot(pixels: Pixels, rng: Generator, odds: EffectProbabilities) -> Pixels:
    """Returns uint8 [S,S,3] as a camera might record it; the effects apply in physical order."""
    for often, happen in (
        (odds.colour, _light),
        (odds.shadow, _shadow),
        (odds.glare, _glare),
        (odds.blur, _blur),
        (odds.noise, _noise),
        (odds.jpeg, _jpeg),
    ):
        if rng.random() < often:
            pixels = happen(pixels, rng)
    return pixels


def _light(pixels: Pixels, rng: Generator) -> Pixels:
    """Changes exposure, contrast, gamma, white balance and saturation by one table per channel."""
    ramp = np.linspace(0, 1, 256) ** math.exp(rng.normal(0, 0.3))
    ramp = (ramp - 0.5) * math.exp(rng.normal(0, 0.2)) + 0.5
    gains = math.exp(rng.normal(-0.15, 0.4)) * np.exp(rng.normal(0, 0.1, 3))
    table = np.clip(ramp[:, None] * gains * 255, 0, 255).astype(np.uint8)
    lit = cv2.LUT(pixels, table.reshape(1, 256, 3))
    grey = cv2.cvtColor(cv2.cvtColor(lit, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    colourful = rng.uniform(0, 1.3)
    return np.asarray(cv2.addWeighted(lit, colourful, grey, 1 - colourful, 0), np.uint8)


def _shadow(pixels: Pixels, rng: Generator) -> Pixels:
    """Adds a soft edge across the picture, darker or lighter on one side."""
    angle = rng.uniform(0, 2 * math.pi)
    x, y = _grid(len(pixels))
    distance = x * math.cos(angle) + y * math.sin(angle) - rng.uniform(-0.6, 0.6)
    edge = 1 / (1 + np.exp(-np.clip(distance * rng.uniform(2, 20), -30, 30)))
    gain = 1 + (rng.uniform(0.35, 1.5) - 1) * edge
    return np.asarray(np.clip(pixels * gain[..., None], 0, 255), np.uint8)


def _glare(pixels: Pixels, rng: Generator) -> Pixels:
    """Adds an oblong white patch: a lamp or window that the note or its sleeve reflects."""
    x, y = _grid(len(pixels))
    turn, (cx, cy) = rng.uniform(0, math.pi), rng.uniform(-0.9, 0.9, 2)
    along = (x - cx) * math.cos(turn) + (y - cy) * math.sin(turn)
    across = (y - cy) * math.cos(turn) - (x - cx) * math.sin(turn)
    length, width = rng.uniform(0.15, 0.8), rng.uniform(0.05, 0.3)
    patch = rng.uniform(0.4, 1.2) * np.exp(-((along / length) ** 2) - (across / width) ** 2)
    white = np.minimum(patch, 1)[..., None]
    return np.asarray(pixels * (1 - white) + 255 * white, np.uint8)


def _grid(side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns x and y from -1 to 1, float64 [1,S] and [S,1], for broadcasting."""
    axis = np.linspace(-1, 1, side)
    return axis[None, :], axis[:, None]


def _blur(pixels: Pixels, rng: Generator) -> Pixels:
    """Blurs as a lens out of focus, a shaken hand, or a great distance does."""
    kind = rng.integers(3)
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.5, 2.8)), np.uint8)
    return _coarse(pixels, rng) if kind == 1 else _shaken(pixels, rng)


def _coarse(pixels: Pixels, rng: Generator) -> Pixels:
    side = int(rng.integers(72, 180)) * len(pixels) // IMAGE_SIZE
    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, pixels.shape[1::-1]), np.uint8)


def _shaken(pixels: Pixels, rng: Generator) -> Pixels:
    length = int(rng.integers(3, 10))
    streak = np.zeros((length, length), np.float32)
    streak[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), rng.uniform(0, 180), 1)
    kernel = cv2.warpAffine(streak, turn, (length, length))
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()), np.uint8)


def _noise(pixels: Pixels, rng: Generator) -> Pixels:
    grain = rng.normal(0, rng.uniform(2, 14), pixels.shape)
    return np.asarray(np.clip(pixels + grain, 0, 255), np.uint8)


def _jpeg(pixels: Pixels, rng: Generator) -> Pixels:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))]
    return np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", pixels, quality)[1], cv2.IMREAD_COLOR), np.uint8
    )
