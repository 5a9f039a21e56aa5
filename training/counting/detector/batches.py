"""An endless random stream of scenes for training, and fixed scenes to evaluate an epoch on."""

from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from training.augmentation.camera import Pixels
from training.counting.detector import network
from training.counting.detector.targets import DETECTOR_SIZE, target
from training.counting.scenes.mixture import random_scene
from training.counting.scenes.scene import Scene
from training.counting.scenes.stock import Stock

_Floats = NDArray[np.float32]


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
        return batch_of([random_scene(self._stock, rng, DETECTOR_SIZE) for _ in range(self._batch)])

    def on_epoch_end(self) -> None:
        """Advances the first step, so that the next epoch has new scenes."""
        self._first_step += self._steps


def batch_of(scenes: list[Scene]) -> tuple[Pixels, _Floats]:
    """Returns scenes, and per scene the target followed by the weights, see `targets.target`."""
    wanted = [np.concatenate(target(each), axis=-1) for each in scenes]
    return np.stack([each.pixels for each in scenes]), np.stack(wanted)


class HeldOutScenes(NamedTuple):
    """Evaluates the detector: its loss, and the share of scenes with the right number of bills.

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
        scenes = [random_scene(stock, rng, DETECTOR_SIZE) for _ in range(number)]
        return cls(*batch_of(scenes), np.array([len(each.bills) for each in scenes]))

    @property
    def about(self) -> str:
        """Says what loss and accuracy are measured on."""
        return "exact counts of held-out scenes"

    def evaluate(self, model: keras.Model) -> tuple[float, float]:
        """Returns the mean loss and the share of exact counts; a heat over 0.5 counts as a bill."""
        found = model.predict(self.pixels, verbose=0)
        right = network.count(found) == self.counts
        return float(np.mean(network.loss(self.wanted, found))), float(np.mean(right))
