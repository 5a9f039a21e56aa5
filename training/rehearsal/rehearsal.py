"""The rehearsal set: the data that a version keeps of the photos that it was trained on.

A network that learns new photos alone forgets the old ones. `teach` trains only the layers behind a
middle layer (latent replay: Pellegrini et al., IROS 2020, arXiv:1912.01100), so it needs only that
layer's output for an old photo: a grid of 7 x 7 numbers in a few hundred channels, 8 bits each. The
photos themselves are not included, since their licences differ and people may be in them. The grid
is not a picture: it is too small to contain faces, serial numbers and backgrounds in a form that
can be looked at, though a network can be trained to guess a blurred picture from it.
"""

import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.augmentation import augment
from training.augmentation.edges import Edges
from training.augmentation.views import one_hot
from training.data import dataset
from training.data.dataset import Photo
from training.data.drafts import replacing
from training.rehearsal.parts import Parts
from webapp.imaging.preprocessing import IMAGE_SIZE, to_tensor

FILE = "rehearsal.npz"
SIZE, VIEWS_EACH = 2_400, 4
"""The most pictures in a set: in all, and per photo of the version if the photos are few."""
OTHER_SHARE = 0.4
"""The share of the class `Other`, which shows more different things than all other classes."""
EDGES_SHARE = 0.1
"""The share of pictures made of several photos or made-up values, see `augmentation.edges`."""
NO_CLASS = ""
"""The label of a picture of several bills."""
# The share of values that is clipped at each end of a channel, so that the steps are fine.
_OUTLIERS = 0.0005
# Which of these it is depends on where a file was cut off.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class Rehearsal:
    """N pictures as the activations of one layer.

    Attributes:
        packed: The activations in steps, uint8 [N,h,w,D].
        low: The activation that 0 stands for, float32 [D].
        step: The activation of one step, float32 [D].
        labels: The classes, str [N].
        held_out: Which pictures are for evaluation only, bool [N].
    """

    packed: NDArray[np.uint8]
    low: NDArray[np.float32]
    step: NDArray[np.float32]
    labels: NDArray[np.str_]
    held_out: NDArray[np.bool_]

    def activations(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> NDArray[np.float32]:
        """Returns the activations of the chosen pictures, float32 [n,h,w,D]."""
        return np.asarray(self.packed[chosen] * self.step + self.low, np.float32)

    def write(self, version: Path) -> None:
        """Writes the set into `assets.extra` of a version's folder, where servers ignore it."""
        file(version).parent.mkdir(parents=True, exist_ok=True)
        with replacing(file(version)) as draft:
            np.savez_compressed(draft, allow_pickle=False, **vars(self))


def file(version: Path) -> Path:
    """Returns the path of the rehearsal set of the version in a folder."""
    return version / "assets.extra" / FILE


def read(version: Path) -> Rehearsal:
    """Returns the rehearsal set of the version in a folder.

    Raises:
        FileNotFoundError: The version has no rehearsal set.
        ValueError: The set is damaged.
    """
    if not file(version).is_file():
        raise FileNotFoundError(
            f"{version} keeps no rehearsal set ({file(version)}), without which it would forget"
            " what it knows. `python -m training rehearse` makes one of the photos that it was"
            " trained on."
        )
    try:
        with file(version).open("rb") as stored, np.load(stored, allow_pickle=False) as arrays:
            return Rehearsal(**arrays)
    except _DAMAGED as error:
        raise ValueError(f"{file(version)} is damaged; `rehearse` makes it anew.") from error


def packed(
    activations: NDArray[np.float32], labels: NDArray[np.str_], held_out: NDArray[np.bool_]
) -> Rehearsal:
    """Returns float32 [N,h,w,D] as a rehearsal set, with each channel quantized in 255 steps."""
    low, high = np.quantile(activations, [_OUTLIERS, 1 - _OUTLIERS], axis=(0, 1, 2))
    low, step = low.astype(np.float32), np.maximum((high - low) / 255, 1e-6).astype(np.float32)
    return Rehearsal(_in_steps(activations, low, step), low, step, labels, held_out)


def _in_steps(
    activations: NDArray[np.float32], low: NDArray[np.float32], step: NDArray[np.float32]
) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint((activations - low) / step), 0, 255), np.uint8)


def together(one: Rehearsal, other: Rehearsal) -> Rehearsal:
    """Returns one set with the pictures of both, in the steps of the first."""
    every = np.arange(len(other.labels))
    return Rehearsal(
        np.concatenate([one.packed, _in_steps(other.activations(every), one.low, one.step)]),
        one.low,
        one.step,
        np.concatenate([one.labels, other.labels]),
        np.concatenate([one.held_out, other.held_out]),
    )


def choose(photos: list[Photo], size: int, rng: np.random.Generator) -> list[Photo]:
    """Returns photos that are spread as evenly as possible over sources, sides and kinds.

    Args:
        photos: The photos to choose from.
        size: How many to return; photos repeat if there are too few.
        rng: The only source of randomness.
    """
    labels = dataset.classes_of(photos)
    other = OTHER_SHARE if dataset.OTHER in labels and len(labels) > 1 else 0.0
    each = (1 - other) / (len(labels) - (other > 0))
    chosen: list[Photo] = []
    for label in labels:
        share = other if other and label == dataset.OTHER else each
        turns = _in_turn([photo for photo in photos if photo.label == label], rng)
        chosen += [next(turns) for _ in range(max(1, round(share * size)))]
    return chosen


def _in_turn(photos: list[Photo], rng: np.random.Generator) -> Iterator[Photo]:
    """Yields photos endlessly, in turn one of each combination of source, side and kind."""
    groups: dict[tuple[str, ...], list[Photo]] = defaultdict(list)
    for index in rng.permutation(len(photos)):
        photo = photos[index]
        groups[photo.source, photo.side, photo.kind].append(photo)
    place = 0
    while True:
        yield from (group[place % len(group)] for group in groups.values())
        place += 1


def views_of(photos: list[Photo], seed: int) -> tuple[list[Photo], NDArray[np.uint8]]:
    """Returns the readable photos and a view of each, uint8 [N,224,224,3]; a third is unchanged.

    A photo that `photos` lists more than once is read once.
    """
    rng = np.random.default_rng(seed)
    distinct = list(dict.fromkeys(photos))
    readable, pictures = dataset.load(distinct)
    behind = dataset.backgrounds(readable, pictures)
    by_photo = dict(zip(readable, pictures, strict=True))
    named = [photo for photo in photos if photo in by_photo]
    views = [
        to_tensor(Image.fromarray(by_photo[photo]))
        if rng.random() < 1 / 3
        else augment.view(by_photo[photo], behind[rng.integers(len(behind))], rng)
        for photo in named
    ]
    return named, np.stack(views)


def gather(
    network: Parts, training: list[Photo], held_out: list[Photo], classes: list[str], seed: int
) -> Rehearsal:
    """Makes the rehearsal set of a version.

    Args:
        network: The network of the version.
        training: Photos to learn from.
        held_out: Photos to evaluate on; they make a fifth of the set.
        classes: The classes of the version.
        seed: Decides which photos are taken, and which views of them.
    """
    rng = np.random.default_rng(seed)
    activations, labels, judges = [], [], []
    for photos, share, judge in ((training, 0.8, False), (held_out, 0.2, True)):
        number = round(min(SIZE, VIEWS_EACH * (len(training) + len(held_out))) * share)
        named, views = views_of(choose(photos, round(number * (1 - EDGES_SHARE)), rng), seed)
        made, made_labels = _edges(photos, classes, number - len(named), rng)
        activations.append(network.activations(np.concatenate([views, made])))
        labels += [photo.label for photo in named] + made_labels
        judges += [judge] * (len(named) + len(made_labels))
    return packed(np.concatenate(activations), np.array(labels), np.array(judges))


def _edges(
    photos: list[Photo], classes: list[str], number: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[str]]:
    """Returns pictures of `augmentation.edges`, uint8 [N,224,224,3], and their labels."""
    readable, pictures = dataset.load(photos)
    behind = dataset.backgrounds(readable, pictures)
    edges = Edges(
        pictures, one_hot(readable, classes), classes, behind, augment.EffectProbabilities()
    )
    made = [edges.any(rng) for _ in range(number if edges.kinds else 0)]
    names = [classes[label.argmax()] if label.max() == 1 else NO_CLASS for _, label in made]
    pixels = [picture for picture, _ in made] or np.empty((0, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    return np.asarray(pixels, np.uint8), names
