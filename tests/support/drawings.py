"""Draws the sample pictures of the page: `python -m tests.support.drawings`.

They show an answer to users who have no bill. Each is marked SPECIMEN and has the layout of a bill,
not its art: a frame, four numerals, a head in an oval, two seals, serial numbers, words. The seeds
in `SAMPLES` are selected, because the shipped model was not trained on drawings. Version 1 is sure
of 96 of the first 100 fives and of 42 of the first 100 fifties, once wrongly (one fifty as
`Other`). So the samples show what an answer looks like, not how good the model is on real bills.
"""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tests.support.servers import ROOT

FOLDER = ROOT / "webapp" / "static" / "samples"
SAMPLES = {"five": 398, "fifty": 151}
SIZE = (360, 270)

VALUES = {"one": 1, "five": 5, "ten": 10, "twenty": 20, "fifty": 50, "hundred": 100}
_INK = (40, 44, 46)
_GREEN = (58, 104, 78)
_RED = (176, 40, 40)
_WIDTH, _HEIGHT = 1200, 510

Colour = tuple[int, int, int]


def main() -> None:
    """Write the sample pictures."""
    for word, seed in SAMPLES.items():
        draw(word, seed).save(FOLDER / f"{word}.webp", quality=60, method=6)


def draw(word: str, seed: int) -> Image.Image:
    """Draw a bill of value `word`, such as "fifty", on a table; equal seeds give equal pictures."""
    rng = np.random.default_rng(seed)
    table = Image.new("RGB", (1440, 1080), _colour(rng, 30, 120))
    note = _note(word, rng)
    width = int(rng.uniform(0.8, 0.97) * table.width)
    note = note.resize((width, width * _HEIGHT // _WIDTH)).rotate(
        rng.uniform(-8, 8), Image.Resampling.BICUBIC, expand=True
    )
    place = ((table.width - note.width) // 2, (table.height - note.height) // 2)
    table.paste(note, place, note)
    return table.resize(SIZE, Image.Resampling.LANCZOS)


def _colour(rng: np.random.Generator, low: int, high: int) -> Colour:
    red, green, blue = (int(each) for each in rng.integers(low, high, 3))
    return red, green, blue


def _note(word: str, rng: np.random.Generator) -> Image.Image:
    # Paper between grey, green and cream.
    paper: Colour = (
        int(rng.integers(190, 225)),
        int(rng.integers(205, 230)),
        int(rng.integers(175, 215)),
    )
    note = Image.new("RGBA", (_WIDTH, _HEIGHT), paper)
    pen = ImageDraw.Draw(note)
    _waves(pen, tuple(max(0, each - 22) for each in paper), rng)
    _frame(pen)
    middle = int(rng.choice([_WIDTH // 2, 500]))
    _portrait(pen, middle, rng)
    _seal(pen, (260, 270), _INK, "")
    _seal(pen, (930, 260), _GREEN, word.upper())
    _words(pen, word, middle)
    return note.filter(ImageFilter.GaussianBlur(1))


def _waves(pen: ImageDraw.ImageDraw, colour: tuple[int, ...], rng: np.random.Generator) -> None:
    turns = rng.uniform(3, 9)
    for line in range(-6, 46):
        points = [
            (x, line * 13 + 20 * math.sin(turns * x / 200 + line / 3)) for x in range(0, _WIDTH, 8)
        ]
        pen.line(points, fill=colour, width=2)


def _frame(pen: ImageDraw.ImageDraw) -> None:
    for inset, width in ((26, 3), (34, 8), (50, 3)):
        pen.rectangle((inset, inset, _WIDTH - inset, _HEIGHT - inset), outline=_INK, width=width)
    for x in range(40, _WIDTH - 40, 14):
        for y in (40, _HEIGHT - 40):
            pen.ellipse((x - 5, y - 5, x + 5, y + 5), outline=_INK)


def _portrait(pen: ImageDraw.ImageDraw, middle: int, rng: np.random.Generator) -> None:
    dark = int(rng.integers(90, 150))
    pen.ellipse(
        (middle - 130, 55, middle + 130, 455), fill=(dark, dark + 12, dark), outline=_INK, width=6
    )
    for x in range(middle - 120, middle + 120, 7):
        rise = 190 * math.sqrt(max(0.0, 1 - ((x - middle) / 126) ** 2))
        pen.line((x, 255 - rise, x, 255 + rise), fill=(dark - 24, dark - 14, dark - 24))
    pen.chord((middle - 110, 340, middle + 110, 560), 180, 360, fill=(34, 36, 38))
    pen.ellipse((middle - 72, 120, middle + 72, 270), fill=(84, 80, 76))
    pen.ellipse((middle - 60, 140, middle + 60, 350), fill=(206, 198, 182), outline=_INK, width=2)
    for side in (-1, 1):
        x = middle + 24 * side
        pen.ellipse((x - 9, 222, x + 9, 234), fill=_INK)
        pen.line((x - 14, 208, x + 14, 208), fill=_INK, width=4)
    pen.line((middle, 228, middle - 6, 274, middle + 6, 276), fill=_INK, width=3)
    pen.line((middle - 20, 304, middle + 20, 304), fill=_INK, width=4)
    pen.polygon([(middle - 34, 348), (middle + 34, 348), (middle, 440)], fill=(228, 226, 218))


def _seal(pen: ImageDraw.ImageDraw, at: tuple[int, int], colour: Colour, word: str) -> None:
    x, y = at
    for turn in range(24):
        angle = turn * math.pi / 12
        pen.line((x, y, x + 70 * math.cos(angle), y + 70 * math.sin(angle)), fill=colour, width=6)
    for radius in (62, 44):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=4)
    pale = tuple((each + 160) // 2 for each in colour)
    pen.ellipse((x - 40, y - 40, x + 40, y + 40), fill=pale)
    pen.text((x, y), word, _INK, ImageFont.load_default(60), anchor="mm")


def _words(pen: ImageDraw.ImageDraw, word: str, middle: int) -> None:
    number = str(VALUES[word])
    for x, y, size, anchor in (
        (62, 58, 110, "lt"),
        (1138, 58, 120, "rt"),
        (62, 452, 110, "lb"),
        (1138, 452, 140, "rb"),
    ):
        pen.text((x, y), number, _INK, ImageFont.load_default(size), anchor=anchor, stroke_width=2)
    pen.text((680, 62), "FEDERAL RESERVE NOTE", _INK, ImageFont.load_default(26), anchor="mt")
    pen.text(
        (680, 96), "THE UNITED STATES OF AMERICA", _INK, ImageFont.load_default(40), anchor="mt"
    )
    for place in ((120, 170), (840, 350)):
        pen.text(place, "SP 20260004 A", _GREEN, ImageFont.load_default(40))
    pen.text(
        (middle, 448),
        f"{word.upper()} DOLLARS",
        _INK,
        ImageFont.load_default(46),
        anchor="mb",
        stroke_width=1,
    )
    pen.text((middle + 30, 402), "SPECIMEN", _RED, ImageFont.load_default(56), anchor="mb")


if __name__ == "__main__":
    main()
