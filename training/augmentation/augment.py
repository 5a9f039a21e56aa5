"""Random training views of a photo: folded, cut, covered, tilted, on another background.

Every view is the photo, perhaps folded or cut, seen by a tilted and imperfect camera, on its own
background or on that of another photo. Views are never mirrored, since bills are not.
"""

import math
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation import camera, layout
from training.augmentation.camera import Pixels
from webapp.imaging.preprocessing import IMAGE_SIZE

_Floats = NDArray[np.float32]

# Width over height of a US bill: 6.14 by 2.61 inches.
BILL_ASPECT = 6.14 / 2.61

# The smallest and the largest ratio of the photo's longer side to the frame's.
_Range = tuple[float, float]
_WHOLE = (0.45, 1.05)


@dataclass(frozen=True)
class EffectProbabilities(camera.EffectProbabilities):
    """The probability of each effect; those of light and lens are in `camera`."""

    composite: float = 0.5
    fan: float = 0.12
    turn: float = 0.6
    part: float = 0.6
    corner: float = 0.25
    unstretch: float = 0.5
    crease: float = 0.2
    crumple: float = 0.15
    finger: float = 0.25


def without(effects: str) -> EffectProbabilities:
    """Returns the usual probabilities, those of `effects` (names separated by commas) set to 0.

    Raises:
        ValueError: There is no such effect.
    """
    named, known = (
        set(effects.split(",")) - {""},
        {field.name for field in fields(EffectProbabilities)},
    )
    if named - known:
        raise ValueError(
            f"Unrecognized effects: {', '.join(sorted(named - known))}."
            f" Expected some of {', '.join(sorted(known))}."
        )
    return EffectProbabilities(**dict.fromkeys(named, 0.0))


def view(
    photo: Pixels,
    background: Pixels,
    rng: Generator,
    strength: EffectProbabilities | None = None,
    *,
    whole: bool = False,
) -> Pixels:
    """Returns one random view of a photo.

    Args:
        photo: uint8 [H,W,3] RGB, any size.
        background: uint8 [H,W,3] RGB: what lies behind a composited photo.
        rng: The only source of randomness: the same state gives the same view.
        strength: The probability of each effect; None: the usual ones.
        whole: Whether to show all of the photo, or nearly all: neither cut nor fanned.

    Returns:
        uint8 [224,224,3] RGB.
    """
    odds = strength or EffectProbabilities()
    if whole:
        odds = replace(odds, fan=0.0, part=0.0, unstretch=0.0)
    paper = _paper(photo, rng, odds)
    if rng.random() < odds.composite:
        pixels = _on_table(paper, background, rng, odds, _WHOLE if whole else (0.25, 1.25))
    else:
        pixels = _reframed(paper, rng, odds, _WHOLE if whole else (0.27, 1.9))
    return as_photographed(pixels, rng, odds)


def as_photographed(pixels: Pixels, rng: Generator, odds: EffectProbabilities) -> Pixels:
    """Returns a scene, uint8 [224,224,3], perhaps crumpled or half covered, as a camera sees it."""
    if rng.random() < odds.crumple:
        pixels = _crumple(pixels, rng)
    if rng.random() < odds.finger:
        pixels = _cover(pixels, rng)
    return camera.shoot(pixels, rng, odds)


def _paper(photo: Pixels, rng: Generator, odds: EffectProbabilities) -> Pixels:
    """Returns the note in front of the camera, perhaps unstretched, cut or creased."""
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
    """Returns the visible part of a note in a hand, a wallet or at the frame's edge, 35 to 80 %."""
    side = photo.shape[axis]
    kept = max(1, round(side * rng.uniform(0.35, 0.8)))
    start = int(rng.choice([0, side - kept, rng.integers(0, side - kept + 1)]))
    return photo[:, start : start + kept] if axis else photo[start : start + kept]


def _crease(photo: Pixels, rng: Generator) -> Pixels:
    """Adds a fold; the paper behind the fold leans away, so it is narrower and lit differently."""
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


def _on_table(
    photo: Pixels, background: Pixels, rng: Generator, odds: EffectProbabilities, sizes: _Range
) -> Pixels:
    """Lays the photo on another one, alone or fanned, at any turn and size, partly outside."""
    size = math.exp(rng.uniform(*np.log(sizes)))
    turn = rng.uniform(0, 2 * math.pi)
    corners = layout.corners_of(photo, rng, size, turn, drift=0.25 + 0.15 * size)
    canvas = layout.table(background, rng)
    notes = int(rng.integers(2, 5)) if rng.random() < odds.fan else 1
    for below in range(1, notes):
        layout.paste(photo, layout.beside(corners, below, rng), canvas)
    return layout.shrunk(layout.paste(photo, corners, canvas))


def _reframed(photo: Pixels, rng: Generator, odds: EffectProbabilities, sizes: _Range) -> Pixels:
    """Turns and zooms the photo itself; the area around the photo gets a plain colour."""
    turn = rng.uniform(0, 2 * math.pi) if rng.random() < odds.turn else rng.normal(0, 0.1)
    size = math.exp(rng.uniform(*np.log(sizes)))
    corners = layout.corners_of(photo, rng, size, turn, drift=0.1 + 0.12 * size)
    plain = np.full((layout.SIDE, layout.SIDE, 3), rng.integers(0, 256, 3), np.uint8)
    return layout.shrunk(layout.paste(photo, corners, plain))


def _crumple(pixels: Pixels, rng: Generator) -> Pixels:
    """Bends the whole picture softly, and shades the bends."""
    cells = int(rng.integers(3, 7))
    bend = [_waves(cells, rng) * rng.uniform(2, 7) for _ in range(2)]
    y, x = np.mgrid[:IMAGE_SIZE, :IMAGE_SIZE].astype(np.float32)
    bent = cv2.remap(
        pixels, x + bend[0], y + bend[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    light = 1 + 0.25 * _waves(cells, rng)[..., None]
    return np.asarray(np.clip(bent * light, 0, 255), np.uint8)


def _waves(cells: int, rng: Generator) -> _Floats:
    """Returns smooth noise of mean about 0 and deviation below 1, float32 [224,224]."""
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    smooth = cv2.resize(coarse, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32)


def _cover(pixels: Pixels, rng: Generator) -> Pixels:
    """Covers part of the picture, as a finger, an object or the edge of a pocket does."""
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
