"""Pictures for tests, drawn here, so that the tests run on any machine and contain no real photo.

The bills are clearly marked SPECIMEN and imitate no real note beyond its shape: corner numerals,
a portrait oval, a fine-line ground. Equal arguments give equal pictures.
"""

import io
import math
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_PAPER = (222, 226, 206)
_INK = (44, 92, 66)
_TABLE = (120, 84, 58)


def bill(denomination: str, *, width: int = 640, angle: float = 0.0, seed: int = 0) -> Image.Image:
    """Draw a specimen bill lying on a table.

    Args:
        denomination: The numeral printed on it, such as `"20"`.
        width: Width of the picture in pixels; the picture is three quarters as high.
        angle: How far the bill is turned, in degrees counter-clockwise.
        seed: Varies the table and the light.

    Returns:
        A picture in mode `RGB`.
    """
    photo = _table(width, seed)
    note = _note(denomination, int(width * 0.8)).rotate(
        angle, Image.Resampling.BICUBIC, expand=True
    )
    note.thumbnail(photo.size)
    corner = ((photo.width - note.width) // 2, (photo.height - note.height) // 2)
    photo.paste(note, corner, note)
    return photo


def other(*, width: int = 640, seed: int = 0) -> Image.Image:
    """Draw something that is no bill: a mug on the same table.

    Args:
        width: Width of the picture in pixels; the picture is three quarters as high.
        seed: Varies the table, the light and the colour of the mug.

    Returns:
        A picture in mode `RGB`.
    """
    photo = _table(width, seed)
    draw = ImageDraw.Draw(photo)
    unit = width / 16
    colour = tuple(int(c) for c in np.random.default_rng(seed).integers(60, 220, 3))
    draw.ellipse((9 * unit, 4 * unit, 12.5 * unit, 8 * unit), outline=colour, width=int(unit * 0.7))
    draw.rounded_rectangle((4 * unit, 3 * unit, 10 * unit, 10 * unit), radius=unit, fill=colour)
    draw.ellipse((4 * unit, 2.3 * unit, 10 * unit, 3.9 * unit), fill=(70, 45, 30), outline=colour)
    return photo


def encode(image: Image.Image, file_format: str, **save_options: Any) -> bytes:
    """Write a picture as a file of a Pillow format, such as `"JPEG"` or `"PNG"`."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **save_options)
    return buffer.getvalue()


def _table(width: int, seed: int) -> Image.Image:
    height = width * 3 // 4
    rng = np.random.default_rng(seed)
    grain = rng.normal(0, 9, (height, 1, 1)) + rng.normal(0, 4, (height, width, 1))
    light = np.linspace(0.8, 1.15, width)[None, :, None] * rng.uniform(0.85, 1.1)
    pixels = (np.array(_TABLE) + grain) * light
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _note(denomination: str, width: int) -> Image.Image:
    height = int(width / 2.35)
    note = Image.new("RGBA", (width, height), (*_PAPER, 255))
    draw = ImageDraw.Draw(note)
    _draw_fine_lines(draw, width, height)
    margin = width // 40
    frame = (margin, margin, width - margin, height - margin)
    draw.rectangle(frame, outline=_INK, width=max(2, width // 160))
    _draw_portrait(draw, width, height)
    _draw_words(draw, denomination, width, height)
    return note


def _draw_fine_lines(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    for line in range(12):
        wave = [
            (x, height * (line + 0.5) / 12 + math.sin(x / width * 25 + line) * height / 24)
            for x in range(0, width + 1, 4)
        ]
        draw.line(wave, fill=(176, 190, 164), width=1)


def _draw_portrait(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    left, right, middle = width * 0.38, width * 0.62, width / 2
    oval = (left, height * 0.14, right, height * 0.86)
    draw.ellipse(oval, fill=(196, 204, 184), outline=_INK, width=max(2, width // 200))
    head = height * 0.15
    draw.ellipse((middle - head, height * 0.24, middle + head, height * 0.56), fill=_INK)
    draw.chord((left, height * 0.58, right, height * 1.1), 205, 335, fill=_INK)


def _draw_words(draw: ImageDraw.ImageDraw, denomination: str, width: int, height: int) -> None:
    numeral = ImageFont.load_default(height * 0.2)
    for x, anchor_x in ((0.05, "l"), (0.95, "r")):
        for y, anchor_y in ((0.1, "t"), (0.9, "b")):
            place = (width * x, height * y)
            draw.text(place, denomination, _INK, numeral, anchor=anchor_x + anchor_y)
    mark = ImageFont.load_default(height * 0.22)
    middle = (width / 2, height / 2)
    draw.text(
        middle, "SPECIMEN", (160, 40, 40), mark, anchor="mm", stroke_width=2, stroke_fill=_PAPER
    )
