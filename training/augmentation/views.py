"""Views of photos: an endless random stream for training, and fixed views for evaluation."""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.augmentation import augment
from training.augmentation.camera import Pixels
from training.augmentation.edges import Edges, Labelled
from training.data import dataset
from training.data.dataset import Photo
from training.data.weights import macro_weights, sampling_weights
from training.recipe import Recipe, weights


class Views(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is untyped
    """Batches of random views. The same recipe gives the same batches, regardless of timing."""

    def __init__(
        self, photos: list[Photo], pictures: list[Pixels], classes: Sequence[str], recipe: Recipe
    ) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self._pictures = pictures
        self._labels = one_hot(photos, classes)
        self._odds = _odds(photos, classes, recipe)
        self._backgrounds = dataset.backgrounds(photos, pictures)
        self._effects = augment.without(recipe.without)
        self._edges = Edges(pictures, self._labels, classes, self._backgrounds, self._effects)
        self._recipe = recipe
        self._first_step = 0
        self._steps = 1

    def of(self, first_step: int, steps: int) -> "Views":
        """Returns this object, set to epochs of `steps` steps that start at step `first_step`."""
        self._first_step, self._steps = first_step, steps
        return self

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[Pixels, NDArray[np.float32]]:
        rng = np.random.default_rng((self._recipe.seed, self._first_step + step))
        chosen = rng.choice(len(self._pictures), self._recipe.batch, p=self._odds)
        pixels, labels = zip(*(self._view(index, rng) for index in chosen), strict=True)
        return np.stack(pixels), np.stack(labels)

    def on_epoch_end(self) -> None:
        """Moves on, so that the next epoch has new views."""
        self._first_step += self._steps

    def contact_sheet(self, side: int = 8) -> Image.Image:
        """Returns `side` x `side` views in one picture."""
        rng = np.random.default_rng(self._recipe.seed)
        chosen = rng.choice(len(self._pictures), side * side, p=self._odds)
        tiles = [self._view(index, rng)[0] for index in chosen]
        rows = [np.hstack(tiles[i : i + side]) for i in range(0, len(tiles), side)]
        return Image.fromarray(np.vstack(rows))

    def _view(self, index: int, rng: np.random.Generator) -> Labelled:
        if self._edges.kinds and rng.random() < self._recipe.edges:
            return self._edges.any(rng)
        background = self._backgrounds[rng.integers(len(self._backgrounds))]
        pixels = augment.view(self._pictures[index], background, rng, self._effects)
        return pixels, self._labels[index]


def _odds(photos: list[Photo], classes: Sequence[str], recipe: Recipe) -> NDArray[np.float64]:
    """Returns each photo's probability of being drawn, float64 [N]."""
    by_class = weights(recipe.class_weights, classes, "class")
    if dataset.OTHER in classes:
        by_class[dataset.OTHER] = by_class.get(dataset.OTHER, 1.0) * recipe.other_share
    sources = sorted({photo.source for photo in photos})
    by_source = weights(recipe.source_weights, sources, "source")
    return sampling_weights(photos, by_class, by_source)


def hard_views(
    photos: list[Photo], classes: Sequence[str], seed: int, each: int
) -> tuple[Pixels, NDArray[np.float32]]:
    """Returns `each` random views of photos, uint8 [N,224,224,3], and classes, float32 [N,C].

    The held-out photos come from the sources of the training photos, so they are easier than photos
    of other people. The same photos turned, dark, covered or far away are not.
    """
    views, labels, _ = weighted_hard_views(photos, classes, seed, each)
    return views, labels


def weighted_hard_views(
    photos: list[Photo], classes: Sequence[str], seed: int, each: int
) -> tuple[Pixels, NDArray[np.float32], NDArray[np.float32]]:
    """Returns `hard_views`, and the weight of each view in a macro average, float32 [N]."""
    rng = np.random.default_rng(seed)
    readable, pictures = dataset.load(photos)
    behind = dataset.backgrounds(readable, pictures)
    views = [
        augment.view(picture, behind[rng.integers(len(behind))], rng)
        for picture in pictures
        for _ in range(each)
    ]
    labels, counted = one_hot(readable, classes), macro_weights(readable)
    return np.stack(views), np.repeat(labels, each, axis=0), np.repeat(counted, each)


def one_hot(photos: list[Photo], classes: Sequence[str]) -> NDArray[np.float32]:
    """Returns the photos' classes, float32 [N,C]."""
    return np.eye(len(classes), dtype=np.float32)[[classes.index(photo.label) for photo in photos]]
