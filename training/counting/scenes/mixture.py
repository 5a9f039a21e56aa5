"""Which scenes there are to learn from: how many bills, and how they lie."""

import numpy as np
from numpy.random import Generator
from PIL import Image

from training.augmentation.camera import Strength
from training.counting.scenes import compose, photos
from training.counting.scenes.compose import Handling
from training.counting.scenes.drawing import drawn
from training.counting.scenes.joined import joined
from training.counting.scenes.places import (
    PLACERS,
    Placer,
    apart,
    close_up,
    half_covered,
    oblique,
)
from training.counting.scenes.scene import Frame, Scene, bare, taken
from training.counting.scenes.stock import Stock
from webapp.imaging.preprocessing import COUNT_SIZE

_SHARES = (0.10, 0.15, 0.17, 0.15, 0.13, 0.10, 0.08, 0.07, 0.05)
"""Of scenes with none, one, two and more bills: fewer of what people seldom photograph."""

_BARE = 0.06
"""Scenes that are a picture of something else, as it is."""
_REAL, _JOINED = 0.14, 0.14
"""Scenes that are a photo of one bill, and several pictures beside one another, of which half are
such photos."""
_FANS = 0.17
"""Scenes of two to five bills that cover each other by half: the hardest to count."""
_CLOSE, _OBLIQUE = 0.12, 0.25
"""Of the rest, those of one bill that is larger than the frame, and those seen from aside."""

HANDLED = Handling(bent=0.25, held=0.2)


def random_scene(stock: Stock, rng: Generator, side: int = COUNT_SIZE) -> Scene:
    """Returns a scene of none to eight bills, `side` pixels wide."""
    return taken(_random_frame(stock, rng), rng, Strength(), side)


def _random_frame(stock: Stock, rng: Generator) -> Frame:
    kind = rng.random()
    if stock.things and kind < _BARE:
        return bare(stock.things, rng)
    kind -= _BARE
    if stock.known and kind < _REAL:
        return photos.framed(stock.known, rng)
    kind -= _REAL
    if kind < _JOINED:
        return joined([_tile(stock, rng) for _ in range(int(rng.choice([2, 2, 3, 4])))], rng)
    kind -= _JOINED
    return _composed(stock, rng, fan=kind < _FANS)


def _tile(stock: Stock, rng: Generator) -> Frame:
    """Returns one of several pictures beside one another: of few bills, and seldom of none."""
    kind = rng.random()
    if stock.known and kind < 0.5:
        return photos.framed(stock.known, rng)
    if stock.things and kind < 0.6:
        return bare(stock.things, rng)
    place: Placer = close_up if rng.random() < 0.2 else apart
    number = int(rng.choice([1, 1, 2]))
    return compose.framed(stock, number, place, rng, Strength(), HANDLED)


def _composed(stock: Stock, rng: Generator, *, fan: bool) -> Frame:
    place: Placer = half_covered
    number = int(rng.integers(2, 6))
    if not fan:
        number = int(rng.choice(len(_SHARES), p=_SHARES))
        place = PLACERS[rng.integers(len(PLACERS))]
        if rng.random() < _CLOSE:
            number, place = 1, close_up
    if rng.random() < _OBLIQUE:
        place = oblique(place)
    return compose.framed(stock, number, place, rng, Strength(), HANDLED)


def contact_sheet(stock: Stock, seed: int, side: int = 6) -> Image.Image:
    """Returns `side` x `side` scenes in one picture, with the boxes drawn."""
    rng = np.random.default_rng(seed)
    tiles = [drawn(random_scene(stock, rng)) for _ in range(side * side)]
    return Image.fromarray(
        np.vstack([np.hstack(tiles[i : i + side]) for i in range(0, len(tiles), side)])
    )
