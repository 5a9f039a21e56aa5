"""Scenes without end to train on, and fixed ones to judge an epoch by."""

from typing import NamedTuple

import keras
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from training.augmentation.camera import Pixels, Strength
from training.counting import network
from training.counting.drawing import drawn
from training.counting.places import PLACERS
from training.counting.scenes import Scene, compose
from training.counting.stock import Stock
from training.counting.targets import DETECTOR_SIZE, target
from webapp.imaging.preprocessing import COUNT_SIZE

MOST = 8
"""The most bills of a scene."""
_NONE, _ONE = 0.1, 0.15
"""The shares of scenes without a bill and with one."""

_Floats = NDArray[np.float32]


def scene(stock: Stock, rng: Generator, side: int = COUNT_SIZE) -> Scene:
    """Returns a random scene of none to `MOST` bills."""
    chance = rng.random()
    number = int(rng.integers(2, MOST + 1))
    number = 0 if chance < _NONE else 1 if chance < _NONE + _ONE else number
    place = PLACERS[rng.integers(len(PLACERS))]
    return compose(stock, number, place, rng, Strength(), side)


def contact_sheet(stock: Stock, seed: int, side: int = 6) -> Image.Image:
    """Returns `side` x `side` scenes in one picture, with the boxes drawn."""
    rng = np.random.default_rng(seed)
    tiles = [drawn(scene(stock, rng)) for _ in range(side * side)]
    return Image.fromarray(
        np.vstack([np.hstack(tiles[i : i + side]) for i in range(0, len(tiles), side)])
    )


class Scenes(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is untyped
    """Batches for the detector: scenes, uint8 [B,224,224,3], and targets, float32 [B,28,28,9]."""

    def __init__(self, stock: Stock, batch: int, seed: int, first_step: int, steps: int) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self._stock, self._batch, self._seed = stock, batch, seed
        self._first_step, self._steps = first_step, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[Pixels, _Floats]:
        rng = np.random.default_rng((self._seed, self._first_step + step))
        return batch_of([scene(self._stock, rng, DETECTOR_SIZE) for _ in range(self._batch)])

    def on_epoch_end(self) -> None:
        """Moves on, so that the next epoch has new scenes."""
        self._first_step += self._steps


def batch_of(scenes: list[Scene]) -> tuple[Pixels, _Floats]:
    """Returns scenes and what the detector should find, the weights behind the target."""
    wanted = [np.concatenate(target(each), axis=-1) for each in scenes]
    return np.stack([each.pixels for each in scenes]), np.stack(wanted)


class HeldOutScenes(NamedTuple):
    """Judges the detector: its loss, and the share of scenes of which it finds as many bills.

    Attributes:
        pixels: uint8 [N,224,224,3].
        wanted: float32 [N,28,28,9].
        counts: int [N].
    """

    pixels: Pixels
    wanted: _Floats
    counts: NDArray[np.integer]

    @classmethod
    def of(cls, stock: Stock, seed: int, number: int = 200) -> "HeldOutScenes":
        """Returns `number` scenes of held-out photos."""
        rng = np.random.default_rng(seed)
        scenes = [scene(stock, rng, DETECTOR_SIZE) for _ in range(number)]
        return cls(*batch_of(scenes), np.array([len(each.bills) for each in scenes]))

    @property
    def about(self) -> str:
        """What loss and accuracy are of."""
        return "exact counts of held-out scenes"

    def evaluate(self, model: keras.Model) -> tuple[float, float]:
        """Returns the mean loss and the share of exact counts, a bill being a heat over a half."""
        found = model.predict(self.pixels, verbose=0)
        right = network.count(found) == self.counts
        return float(np.mean(network.loss(self.wanted, found))), float(np.mean(right))
