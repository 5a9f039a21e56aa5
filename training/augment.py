"""What hands and tables do to a bill: training views of a photo.

Every view is the photo, perhaps folded or cut, seen by a tilted and imperfect camera, on its own
surroundings or on those of another photo. Nothing is ever mirrored: no bill is.
"""

import math
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training import camera
from training.camera import Pixels
from webapp.preprocessing import IMAGE_SIZE

_Floats = NDArray[np.float32]

# Rendered larger and then averaged down, so that small bills are not jagged.
_SUPERSAMPLED = 2 * IMAGE_SIZE
# Width over height of a US bill: 6.14 by 2.61 inches.
BILL_ASPECT = 6.14 / 2.61


@dataclass(frozen=True)
class Strength(camera.Strength):
    """How often each thing happens, as probabilities; light and lens are in `camera`."""

    composite: float = 0.5
    fan: float = 0.12
    turn: float = 0.6
    part: float = 0.6
    corner: float = 0.25
    unstretch: float = 0.5
    crease: float = 0.2
    crumple: float = 0.15
    finger: float = 0.25


def without(effects: str) -> Strength:
    """Returns the usual odds, those of `effects` (names separated by commas) set to 0.

    Raises:
        ValueError: There is no such effect.
    """
    named, known = set(effects.split(",")) - {""}, {field.name for field in fields(Strength)}
    if named - known:
        raise ValueError(
            f"Unrecognized effects: {', '.join(sorted(named - known))}."
            f" Expected some of {', '.join(sorted(known))}."
        )
    return Strength(**dict.fromkeys(named, 0.0))


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
    paper = _paper(photo, rng, odds)
    if rng.random() < odds.composite:
        pixels = _on_table(paper, background, rng, odds)
    else:
        pixels = _reframed(paper, rng, odds)
    if rng.random() < odds.crumple:
        pixels = _crumple(pixels, rng)
    if rng.random() < odds.finger:
        pixels = _cover(pixels, rng)
    return camera.shoot(pixels, rng, odds)


def _paper(photo: Pixels, rng: Generator, odds: Strength) -> Pixels:
    """What becomes of the note itself, before a camera sees it."""
    height, width = photo.shape[:2]
    if height == width and rng.random() < odds.unstretch:
        # A square photo may be a whole bill that a collector stretched.
        photo = np.asarray(
            cv2.resize(photo, (width, max(1, round(height / BILL_ASPECT)))), np.uint8
        )
    if rng.random() < odds.part:
        across = int(rng.random() < 0.75)
        photo = _part(photo, across, rng)
        if rng.random() < odds.corner:
            photo = _part(photo, 1 - across, rng)
    return _crease(photo, rng) if rng.random() < odds.crease else photo


def _part(photo: Pixels, axis: int, rng: Generator) -> Pixels:
    """What is in sight of a note in a hand, a wallet or at the frame's edge: about half or more."""
    side = photo.shape[axis]
    kept = max(1, round(side * rng.uniform(0.35, 0.8)))
    start = int(rng.choice([0, side - kept, rng.integers(0, side - kept + 1)]))
    return photo[:, start : start + kept] if axis else photo[start : start + kept]


def _crease(photo: Pixels, rng: Generator) -> Pixels:
    """A fold: beyond it the paper leans away, so it is foreshortened and lit otherwise."""
    turned = bool(rng.random() < 0.25)
    paper = photo.transpose(1, 0, 2) if turned else photo
    if paper.shape[1] < 2:
        return photo
    at = max(1, int(paper.shape[1] * rng.uniform(0.2, 0.8)))
    near, far = paper[:, :at], np.ascontiguousarray(paper[:, at:])
    narrow = max(1, round(far.shape[1] * rng.uniform(0.55, 1)))
    far = np.asarray(cv2.resize(far, (narrow, far.shape[0]), interpolation=cv2.INTER_AREA))
    folded = np.hstack([near, np.clip(far * rng.uniform(0.55, 1.15), 0, 255).astype(np.uint8)])
    line = slice(max(0, at - int(rng.integers(1, 4))), at + 1)
    folded[:, line] = (folded[:, line] * rng.uniform(0.5, 1)).astype(np.uint8)
    return folded.transpose(1, 0, 2) if turned else folded


def _on_table(photo: Pixels, background: Pixels, rng: Generator, odds: Strength) -> Pixels:
    """The photo lies on another one, alone or fanned: any turn, far or near, partly outside."""
    size = math.exp(rng.uniform(math.log(0.25), math.log(1.25)))
    turn = rng.uniform(0, 2 * math.pi)
    quad = _quad(photo, rng, size, turn, drift=0.25 + 0.15 * size)
    canvas = np.asarray(
        cv2.resize(_random_crop(background, rng), (_SUPERSAMPLED, _SUPERSAMPLED)), np.uint8
    )
    notes = int(rng.integers(2, 5)) if rng.random() < odds.fan else 1
    for below in range(1, notes):
        _paste(photo, _beside(quad, below, rng), canvas)
    return _shrunk(_paste(photo, quad, canvas))


def _beside(quad: _Floats, number: int, rng: Generator) -> _Floats:
    """Where the note lies that is `number` places further down in a fan."""
    turn = number * rng.uniform(0.1, 0.4)
    c, s = math.cos(turn), math.sin(turn)
    pivot = quad[3] + (quad[2] - quad[3]) * rng.uniform(0, 0.5)
    slide = (quad[0] - quad[3]) * rng.uniform(-0.2, 0.5)
    return np.asarray((quad - pivot) @ np.array([[c, s], [-s, c]]) + pivot + slide, np.float32)


def _reframed(photo: Pixels, rng: Generator, odds: Strength) -> Pixels:
    """The photo itself, turned and zoomed; what the camera did not see is a plain colour."""
    turn = rng.uniform(0, 2 * math.pi) if rng.random() < odds.turn else rng.normal(0, 0.1)
    size = math.exp(rng.uniform(math.log(0.27), math.log(1.9)))
    quad = _quad(photo, rng, size, turn, drift=0.1 + 0.12 * size)
    plain = np.full((_SUPERSAMPLED, _SUPERSAMPLED, 3), rng.integers(0, 256, 3), np.uint8)
    return _shrunk(_paste(photo, quad, plain))


def _quad(photo: Pixels, rng: Generator, size: float, turn: float, drift: float) -> _Floats:
    """Where the photo's corners land, float32 [4,2], in pixels of the supersampled square.

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
    return np.asarray(corners * _SUPERSAMPLED, np.float32)


def _paste(photo: Pixels, quad: _Floats, canvas: Pixels) -> Pixels:
    """Lays the photo into `canvas`, which is changed and returned."""
    height, width = photo.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, quad)
    cv2.warpPerspective(
        photo, matrix, canvas.shape[1::-1], dst=canvas, borderMode=cv2.BORDER_TRANSPARENT
    )
    return canvas


def _shrunk(canvas: Pixels) -> Pixels:
    small = cv2.resize(canvas, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _random_crop(picture: Pixels, rng: Generator) -> Pixels:
    height, width = (int(side * rng.uniform(0.5, 1)) for side in picture.shape[:2])
    top = int(rng.integers(0, picture.shape[0] - height + 1))
    left = int(rng.integers(0, picture.shape[1] - width + 1))
    return picture[top : top + max(1, height), left : left + max(1, width)]


def _crumple(pixels: Pixels, rng: Generator) -> Pixels:
    """Soft bends all over, and the light that plays on them."""
    cells = int(rng.integers(3, 7))
    bend = [_waves(cells, rng) * rng.uniform(2, 7) for _ in range(2)]
    y, x = np.mgrid[:IMAGE_SIZE, :IMAGE_SIZE].astype(np.float32)
    bent = cv2.remap(
        pixels, x + bend[0], y + bend[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    light = 1 + 0.25 * _waves(cells, rng)[..., None]
    return np.asarray(np.clip(bent * light, 0, 255), np.uint8)


def _waves(cells: int, rng: Generator) -> _Floats:
    """Smooth noise of mean about 0 and deviation below 1, float32 [224,224]."""
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    smooth = cv2.resize(coarse, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32)


def _cover(pixels: Pixels, rng: Generator) -> Pixels:
    """Something lies over part of the picture: a finger, a thing, the edge of a pocket."""
    covered = pixels.copy()
    centre = rng.uniform(0, IMAGE_SIZE, 2)
    axes = rng.uniform(0.06, 0.28, 2) * IMAGE_SIZE
    colour = _skin(rng) if rng.random() < 0.5 else rng.integers(0, 256, 3)
    place, radii = (int(centre[0]), int(centre[1])), (int(axes[0]), int(axes[1]))
    turn, fill = float(rng.uniform(0, 180)), [int(c) for c in colour]
    return np.asarray(cv2.ellipse(covered, place, radii, turn, 0, 360, fill, -1), np.uint8)


def _skin(rng: Generator) -> NDArray[np.int64]:
    light, dark = np.array([240, 200, 175]), np.array([80, 50, 35])
    mix = rng.random()
    return np.asarray(light * mix + dark * (1 - mix), np.int64)
