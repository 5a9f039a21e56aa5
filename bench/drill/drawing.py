"""Draws a note that no version has seen: a new ten, with another layout and other colours.

It imitates no real note and is marked DRILL. Equal generator states give equal drawings.
"""

from __future__ import annotations

import math

from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 900, 384
_LEFT, _RIGHT = (250, 214, 120), (238, 140, 96)
_INK, _VIOLET, _RED = (70, 30, 80), (120, 70, 160), (176, 40, 40)


def new_ten(rng: Generator, *, front: bool) -> Image.Image:
    """Returns the flat note, RGB, its front with a torch or its back with a bridge.

    Args:
        rng: decides how worn the colours are.
        front: True draws the front, False the back.
    """
    note = Image.new("RGB", (WIDTH, HEIGHT))
    pen = ImageDraw.Draw(note)
    _paper(pen, rng.uniform(0.85, 1.0))
    _rosette(pen, (0.34 if front else 0.66) * WIDTH)
    if front:
        _torch(pen)
    else:
        _bridge(pen)
    _words(pen, front)
    return note


def _paper(pen: ImageDraw.ImageDraw, worn: float) -> None:
    """Draws the ground, a gradient from yellow to orange with a violet strip."""
    for x in range(WIDTH):
        share = x / WIDTH
        colour = [worn * (a + share * (b - a)) for a, b in zip(_LEFT, _RIGHT, strict=True)]
        pen.line((x, 0, x, HEIGHT), fill=tuple(map(int, colour)))
    pen.rectangle((0.72 * WIDTH, 0, 0.76 * WIDTH, HEIGHT), fill=_VIOLET)


def _rosette(pen: ImageDraw.ImageDraw, x: float) -> None:
    """Crossing circles around a point in the middle of the height."""
    for turn in range(24):
        angle = turn * math.pi / 12
        at_x, at_y = x + 60 * math.cos(angle), HEIGHT / 2 + 60 * math.sin(angle)
        pen.ellipse((at_x - 90, at_y - 90, at_x + 90, at_y + 90), outline=(206, 120, 90), width=2)


def _torch(pen: ImageDraw.ImageDraw) -> None:
    x = 0.34 * WIDTH
    pen.polygon([(x - 14, 340), (x + 14, 340), (x + 34, 190), (x - 34, 190)], fill=_INK)
    pen.rectangle((x - 52, 172, x + 52, 192), fill=_INK)
    pen.ellipse((x - 44, 70, x + 44, 176), fill=(226, 96, 50))
    pen.ellipse((x - 22, 104, x + 22, 176), fill=(250, 226, 130))


def _bridge(pen: ImageDraw.ImageDraw) -> None:
    left, right, road = 0.36 * WIDTH, 0.96 * WIDTH, 270
    pen.rectangle((left, road, right, road + 18), fill=_INK)
    for x in (0.5 * WIDTH, 0.82 * WIDTH):
        pen.rectangle((x - 12, 70, x + 12, road), fill=_INK)
    pen.arc((left - 60, -150, 0.5 * WIDTH, road), 0, 90, fill=_INK, width=6)
    pen.arc((0.5 * WIDTH, -130, 0.82 * WIDTH, 240), 0, 180, fill=_INK, width=6)
    pen.arc((0.82 * WIDTH, -150, right + 60, road), 90, 180, fill=_INK, width=6)


def _words(pen: ImageDraw.ImageDraw, front: bool) -> None:
    """One large numeral at a side and a small one in a corner, unlike the old design's four."""
    large, small = (0.87, 0.12) if front else (0.16, 0.93)
    pen.text((large * WIDTH, HEIGHT / 2), "10", _INK, ImageFont.load_default(170), anchor="mm")
    pen.text((small * WIDTH, 0.13 * HEIGHT), "10", _VIOLET, ImageFont.load_default(70), anchor="mm")
    title = "TEN DOLLARS" if front else "THE NEW TEN"
    at = (0.14 * WIDTH if front else 0.66 * WIDTH, 0.92 * HEIGHT)
    pen.text(at, title, _INK, ImageFont.load_default(34), anchor="mm")
    pen.text((0.5 * WIDTH, 0.5 * HEIGHT), "DRILL", _RED, ImageFont.load_default(64), anchor="mm")
