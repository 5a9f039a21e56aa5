"""The pictures of a drill: drawn here, or from folders of real photos."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image

from bench.drill.drawing import new_ten
from tests import specimen
from tests.support import drawings
from training.augmentation import augment
from training.data import dataset
from training.data.dataset import OTHER, Photo
from training.data.split import split

DRAWN_CLASS = "10"
"""The class that the drawn design belongs to."""
TAUGHT_COUNT, ASKED_COUNT = 20, 20
"""The numbers of drawn pictures of the new design: sent back, and only asked about."""
OLD_COUNT, THINGS_COUNT = 20, 20
"""The numbers of drawn old pictures: bills per sample value of the page, and other things."""
ASKED_SHARE = 0.4
"""The share of the given photos that is only asked about."""


class Picture(NamedTuple):
    """A file that a client sends.

    Attributes:
        label: the class of what it shows.
        data: JPEG, PNG or another picture.
    """

    label: str
    data: bytes


@dataclass(frozen=True)
class Pictures:
    """All pictures of a drill.

    Attributes:
        taught: of the new design, to be sent back.
        asked: of the new design, to ask about only.
        old: of things that the version should already know.
        known_only: whether of `old` only pictures with a correct first answer count.
        beside: of known things that the new design may be taken for, such as a similar note; all of
            them count, like old pictures.
    """

    taught: list[Picture]
    asked: list[Picture]
    old: list[Picture]
    known_only: bool
    beside: Sequence[Picture] = ()


def drawn(seed: int = 0) -> Pictures:
    """Draws a new ten, bills like the page's samples, and things that are no money.

    No version was trained on drawn bills, so only old pictures with a correct first answer count.
    """
    rng = np.random.default_rng(seed)
    notes = [
        _snapshot(new_ten(rng, front=n % 3 < 2), rng) for n in range(TAUGHT_COUNT + ASKED_COUNT)
    ]
    new = [Picture(DRAWN_CLASS, note) for note in notes]
    old = [*_drawn_bills(), *_drawn_things()]
    return Pictures(new[:TAUGHT_COUNT], new[TAUGHT_COUNT:], old, known_only=True)


def of_folders(photos: Path, asked: Path | None, old: Path | None, known: list[str]) -> Pictures:
    """Reads real photos.

    Args:
        photos: a folder with a sub-folder for each class that is new or has a new design.
        asked: more such photos, to ask about only; None takes a part of `photos`.
        old: photos of known classes, a sub-folder for each class; None draws them.
        known: the classes of the version.

    Raises:
        ValueError: a folder holds no photos of classes.
    """
    given = dataset.scan(photos, {}, [])
    taught, rest = (given, []) if asked else split(given, 0, held_out=ASKED_SHARE)
    classes = {*known, *(photo.label for photo in given)}
    more = _read(asked, classes) if asked else [_picture(photo, classes) for photo in rest]
    new = {photo.label for photo in given}
    return Pictures(
        [_picture(photo, classes) for photo in taught],
        [picture for picture in more if picture.label in new],
        _read(old, classes) if old else [*_drawn_bills(), *_drawn_things()],
        known_only=old is None,
        beside=[picture for picture in more if picture.label not in new],
    )


def _read(folder: Path, classes: set[str]) -> list[Picture]:
    return [_picture(photo, classes) for photo in dataset.scan(folder, {}, [])]


def _picture(photo: Photo, classes: set[str]) -> Picture:
    """Reads a photo; its class becomes `OTHER` if it is not in `classes`, such as a $2 bill."""
    label = photo.label if photo.label in classes else OTHER
    return Picture(label, photo.path.read_bytes())


def _drawn_bills() -> Iterator[Picture]:
    for word, shipped in drawings.SAMPLES.items():
        for seed in (shipped, *range(OLD_COUNT)):
            drawing = specimen.encode(drawings.draw(word, seed), "JPEG")
            yield Picture(str(drawings.VALUES[word]), drawing)


def _drawn_things() -> Iterator[Picture]:
    for seed in range(THINGS_COUNT):
        yield Picture(OTHER, specimen.encode(specimen.other(seed=seed), "JPEG"))


def _snapshot(note: Image.Image, rng: Generator) -> bytes:
    """Returns a JPEG of a note as a phone sees it, on an otherwise empty table."""
    table = np.asarray(rng.normal(rng.uniform(30, 220, 3), 6, (300, 300, 3)).clip(0, 255), np.uint8)
    seen = augment.view(np.asarray(note), table, rng, augment.without("unstretch"), whole=True)
    file = io.BytesIO()
    Image.fromarray(seen).save(file, "JPEG", quality=90)
    return file.getvalue()
