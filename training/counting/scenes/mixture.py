"""Which scenes there are to learn from: how many bills, and how they lie."""

import numpy as np
from numpy.random import Generator
from PIL import Image

from training.augmentation.camera import Strength
from training.counting.scenes.compose import Scene, compose
from training.counting.scenes.drawing import drawn
from training.counting.scenes.places import PLACERS
from training.counting.scenes.stock import Stock
from webapp.imaging.preprocessing import COUNT_SIZE

_SHARES = (0.10, 0.15, 0.17, 0.15, 0.13, 0.10, 0.08, 0.07, 0.05)
"""Of scenes with none, one, two and more bills: fewer of what people seldom photograph."""


def random_scene(stock: Stock, rng: Generator, side: int = COUNT_SIZE) -> Scene:
    """Returns a scene of none to eight bills, `side` pixels wide."""
    number = int(rng.choice(len(_SHARES), p=_SHARES))
    place = PLACERS[rng.integers(len(PLACERS))]
    return compose(stock, number, place, rng, Strength(), side)


def contact_sheet(stock: Stock, seed: int, side: int = 6) -> Image.Image:
    """Returns `side` x `side` scenes in one picture, with the boxes drawn."""
    rng = np.random.default_rng(seed)
    tiles = [drawn(random_scene(stock, rng)) for _ in range(side * side)]
    return Image.fromarray(
        np.vstack([np.hstack(tiles[i : i + side]) for i in range(0, len(tiles), side)])
    )
