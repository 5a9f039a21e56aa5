"""Chooses the scenes for training: how many bills, and how they lie."""

import numpy as np
from numpy.random import Generator
from PIL import Image

from training.augmentation.camera import EffectProbabilities
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
"""The shares of scenes with none, one, two and more bills: few of those seldom photographed."""

_BARE = 0.06
"""The share of scenes that are an unchanged picture of something else."""
_REAL, _JOINED = 0.14, 0.14
"""The shares of scenes that are a photo of one bill, and that are several pictures next to each
other, about half of them such photos."""
_FANS = 0.17
"""The share of scenes of two to five bills that half cover each other: the hardest to count."""
_CLOSE, _OBLIQUE = 0.12, 0.25
"""Of the rest, the share of one bill larger than the frame, and the share seen from the side."""

HANDLED = Handling(bent=0.25, held=0.2)


def random_scene(stock: Stock, rng: Generator, side: int = COUNT_SIZE) -> Scene:
    """Returns a scene of none to eight bills, `side` pixels wide."""
    return taken(_random_frame(stock, rng), rng, EffectProbabilities(), side)


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
    """Returns one picture of a joined scene: it has few bills, and seldom none."""
    kind = rng.random()
    if stock.known and kind < 0.5:
        return photos.framed(stock.known, rng)
    if stock.things and kind < 0.6:
        return bare(stock.things, rng)
    place: Placer = close_up if rng.random() < 0.2 else apart
    number = int(rng.choice([1, 1, 2]))
    return compose.framed(stock, number, place, rng, EffectProbabilities(), HANDLED)


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
    return compose.framed(stock, number, place, rng, EffectProbabilities(), HANDLED)


def contact_sheet(stock: Stock, seed: int, side: int = 6) -> Image.Image:
    """Returns `side` x `side` scenes in one picture, with the boxes drawn."""
    rng = np.random.default_rng(seed)
    tiles = [drawn(random_scene(stock, rng)) for _ in range(side * side)]
    return Image.fromarray(
        np.vstack([np.hstack(tiles[i : i + side]) for i in range(0, len(tiles), side)])
    )
