"""What the network is shown: random views without end to learn from, fixed ones to be judged by."""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training import augment, dataset
from training.camera import Pixels
from training.dataset import Photo
from training.recipe import Recipe


class Views(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is untyped
    """Batches of random views. The same recipe gives the same batches, whatever the timing."""

    def __init__(
        self, photos: list[Photo], pictures: list[Pixels], classes: Sequence[str], recipe: Recipe
    ) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self._pictures = pictures
        self._labels = one_hot(photos, classes)
        self._odds = dataset.sampling_weights(photos, {dataset.OTHER: recipe.other_share})
        self._backgrounds = dataset.backgrounds(photos, pictures)
        self._effects = augment.without(recipe.without)
        self._recipe = recipe
        self._first_step = 0
        self._steps = 1

    def of(self, first_step: int, steps: int) -> "Views":
        """Makes an epoch last `steps` steps, the first one being the views' `first_step`."""
        self._first_step, self._steps = first_step, steps
        return self

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[Pixels, NDArray[np.float32]]:
        rng = np.random.default_rng((self._recipe.seed, self._first_step + step))
        chosen = rng.choice(len(self._pictures), self._recipe.batch, p=self._odds)
        pixels = np.stack([self._view(index, rng) for index in chosen])
        return pixels, self._labels[chosen]

    def on_epoch_end(self) -> None:
        """Goes on to views that were not seen yet."""
        self._first_step += self._steps

    def contact_sheet(self, side: int = 8) -> Image.Image:
        """Returns `side` x `side` views in one picture."""
        rng = np.random.default_rng(self._recipe.seed)
        chosen = rng.choice(len(self._pictures), side * side, p=self._odds)
        tiles = [self._view(index, rng) for index in chosen]
        rows = [np.hstack(tiles[i : i + side]) for i in range(0, len(tiles), side)]
        return Image.fromarray(np.vstack(rows))

    def _view(self, index: int, rng: np.random.Generator) -> Pixels:
        background = self._backgrounds[rng.integers(len(self._backgrounds))]
        return augment.view(self._pictures[index], background, rng, self._effects)


def hard_views(
    photos: list[Photo], classes: Sequence[str], seed: int, each: int
) -> tuple[Pixels, NDArray[np.float32]]:
    """Returns `each` random views of photos, uint8 [N,224,224,3], and classes, float32 [N,C].

    The held-out photos come from the sources that the training saw, so as they are they look
    easier than a stranger's; turned, dark, covered and far away they do not.
    """
    rng = np.random.default_rng(seed)
    readable, pictures = dataset.load(photos)
    behind = dataset.backgrounds(readable, pictures)
    views = [
        augment.view(picture, behind[rng.integers(len(behind))], rng)
        for picture in pictures
        for _ in range(each)
    ]
    return np.stack(views), np.repeat(one_hot(readable, classes), each, axis=0)


def one_hot(photos: list[Photo], classes: Sequence[str]) -> NDArray[np.float32]:
    """Returns the photos' classes, float32 [N,C]."""
    return np.eye(len(classes), dtype=np.float32)[[classes.index(photo.label) for photo in photos]]
