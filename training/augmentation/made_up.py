"""Notes with values that do not exist, made of flat photos of bills.

Novelty and obsolete notes ($500, $1,000,000) look like current bills, except for their numerals,
words and portrait. Photos of them are scarce, so these places are changed in photos of bills.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib import get_data_path
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

from training.augmentation.camera import Pixels

# Width over height of photos that a whole bill fills (a bill is 2.35 times as wide as high).
FLAT_ASPECT = (2.2, 2.5)
# In pixels. On a lower note the places of numerals and words would be empty.
LEAST_HEIGHT = 8

VALUES = {
    "3": "THREE",
    "7": "SEVEN",
    "15": "FIFTEEN",
    "25": "TWENTY FIVE",
    "30": "THIRTY",
    "40": "FORTY",
    "60": "SIXTY",
    "70": "SEVENTY",
    "200": "TWO HUNDRED",
    "300": "THREE HUNDRED",
    "500": "FIVE HUNDRED",
    "1000": "ONE THOUSAND",
    "1,000": "ONE THOUSAND",
    "5000": "FIVE THOUSAND",
    "10,000": "TEN THOUSAND",
    "100,000": "ONE HUNDRED THOUSAND",
    "1,000,000": "ONE MILLION",
    "1 MILLION": "ONE MILLION",
    "0": "ZERO",
    "75": "SEVENTY FIVE",
}
"""The values in training, each with its words."""

HELD_OUT_VALUES = {
    "4": "FOUR",
    "9": "NINE",
    "35": "THIRTY FIVE",
    "80": "EIGHTY",
    "250": "TWO HUNDRED FIFTY",
    "400": "FOUR HUNDRED",
    "2000": "TWO THOUSAND",
    "50,000": "FIFTY THOUSAND",
    "1 BILLION": "ONE BILLION",
}
"""The values in the evaluation only, which shows whether more than the pictures was learnt."""

FONTS = ("DejaVuSerif-Bold", "DejaVuSans-Bold", "STIXGeneralBol")
HELD_OUT_FONTS = ("cmb10", "DejaVuSansMono-Bold")


class Box(NamedTuple):
    """A place on a note, in shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float


_CORNERS = (
    Box(0.0, 0.0, 0.155, 0.27),
    Box(0.845, 0.0, 1.0, 0.27),
    Box(0.0, 0.72, 0.155, 1.0),
    Box(0.76, 0.7, 1.0, 1.0),
)
# The value in words: below the portrait, beside it on old fronts, in the middle of old backs.
_BELOW, _BESIDE, _MIDDLE = (
    Box(0.2, 0.86, 0.76, 1),
    Box(0.64, 0.3, 0.9, 0.66),
    Box(0.3, 0.3, 0.7, 0.8),
)
_PORTRAIT = Box(0.3, 0.13, 0.62, 0.86)


def is_flat(picture: Pixels) -> bool:
    """Returns whether a bill's photo, uint8 [H,W,3], has a bill's aspect ratio and room to write.

    A photo lower than `LEAST_HEIGHT` has none.
    """
    height, width = picture.shape[:2]
    return bool(FLAT_ASPECT[0] <= width / height <= FLAT_ASPECT[1]) and height >= LEAST_HEIGHT


def made_up(
    bill: Pixels,
    face: Pixels,
    rng: Generator,
    values: dict[str, str] = VALUES,
    fonts: Sequence[str] = FONTS,
) -> Pixels:
    """Returns a flat bill with another value in numerals and words, perhaps another portrait.

    Args:
        bill: uint8 [H,W,3] RGB, a photo that `is_flat`.
        face: uint8 [H,W,3] RGB, any picture: part of it may replace the portrait.
        rng: The only source of randomness.
        values: Values to choose from, each with its words.
        fonts: File names of fonts that matplotlib has, without `.ttf`.
    """
    note = Image.fromarray(bill)
    font = f"{get_data_path()}/fonts/ttf/{fonts[int(rng.integers(len(fonts)))]}.ttf"
    number, words = list(values.items())[int(rng.integers(len(values)))]
    sign = "$" if rng.random() < 0.15 else ""
    for corner in _CORNERS:
        _write(note, corner, sign + number, font, rng)
    _write(note, _BELOW, f"{words} DOLLARS", font, rng)
    if rng.random() < 0.5:
        _write(note, _BESIDE, words, font, rng)
    if rng.random() < 0.3:
        _write(note, _MIDDLE, words, font, rng)
    elif rng.random() < 0.4:
        _replace_portrait(note, face, rng)
    return np.asarray(note)


def _write(note: Image.Image, box: Box, text: str, font: str, rng: Generator) -> None:
    """Covers a box with the colour of its paper, and writes in the colour of its ink."""
    left, top, right, bottom = _pixels(note, box)
    place = note.crop((left, top, right, bottom))
    dark, light = np.percentile(np.asarray(place).reshape(-1, 3), (8, 85), axis=0).astype(int)
    if rng.random() < 0.25:
        dark, light = light, dark
    draw = ImageDraw.Draw(note)
    shape = draw.ellipse if rng.random() < 0.3 else draw.rectangle
    shape((left, top, right - 1, bottom - 1), fill=tuple(light))
    width, height = right - left, bottom - top
    # The largest size at which the text fits.
    size = min(0.9 * height, 1.6 * width / max(1, len(text)))
    letters = ImageFont.truetype(font, max(5, size * rng.uniform(0.8, 1.0)))
    centre = ((left + right) / 2, (top + bottom) / 2)
    draw.text(centre, text, tuple(dark), letters, anchor="mm")


def _replace_portrait(note: Image.Image, face: Pixels, rng: Generator) -> None:
    """Lays an oval part of another picture over the portrait, often in shades of grey."""
    left, top, right, bottom = _pixels(note, _PORTRAIT)
    size = (right - left, bottom - top)
    height, width = face.shape[:2]
    side = max(1, int(min(height, width) * rng.uniform(0.4, 0.9)))
    x, y = int(rng.integers(0, width - side + 1)), int(rng.integers(0, height - side + 1))
    part = np.asarray(cv2.resize(face[y : y + side, x : x + side], size), np.uint8)
    oval = Image.new("L", size)
    ImageDraw.Draw(oval).ellipse((0, 0, size[0] - 1, size[1] - 1), fill=255)
    portrait = Image.fromarray(part)
    if rng.random() < 0.7:
        portrait = portrait.convert("L").convert("RGB")
    note.paste(portrait, (left, top), oval)


def _pixels(note: Image.Image, box: Box) -> tuple[int, int, int, int]:
    width, height = note.size
    return (
        round(box.left * width),
        round(box.top * height),
        round(box.right * width),
        round(box.bottom * height),
    )
