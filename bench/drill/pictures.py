"""The pictures of a drill: drawn here, or from folders of real photos."""

from __future__ import annotations

import io
from collections.abc import Iterator
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
TAUGHT, ASKED = 20, 20
"""Drawn pictures of the new design: sent back, and asked about only."""
TRIED, THINGS = 20, 20
"""Old pictures that are drawn: bills of each value on the page, and things that are no money."""
ASKED_SHARE = 0.4
"""Of photos that are given, the share that is asked about only."""


class Picture(NamedTuple):
    """A file that somebody sends.

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
        old: of what the version should know.
        known_only: whether only those of them count that are answered rightly before.
    """

    taught: list[Picture]
    asked: list[Picture]
    old: list[Picture]
    known_only: bool


def drawn(seed: int = 0) -> Pictures:
    """Draws a new ten, bills as the page's samples are drawn, and things that are no money.

    No version was shown drawn bills, so only those count that are answered rightly before.
    """
    rng = np.random.default_rng(seed)
    notes = [_snapshot(new_ten(rng, front=n % 3 < 2), rng) for n in range(TAUGHT + ASKED)]
    new = [Picture(DRAWN_CLASS, note) for note in notes]
    return Pictures(
        new[:TAUGHT], new[TAUGHT:], [*_drawn_bills(), *_drawn_things()], known_only=True
    )


def of_folders(photos: Path, asked: Path | None, old: Path | None, known: list[str]) -> Pictures:
    """Reads real photos.

    Args:
        photos: a sub-folder for each class that has a new design, or is new.
        asked: more such photos, to ask about only; None: a part of `photos`.
        old: photos of what the version knows, a sub-folder for each class; None: those drawn.
        known: the classes of the version.

    Raises:
        ValueError: a folder holds no photos of classes.
    """
    given = dataset.scan(photos, {}, [])
    taught, rest = (given, []) if asked else split(given, 0, held_out=ASKED_SHARE)
    classes = {*known, *(photo.label for photo in given)}
    more = _read(asked, classes) if asked else [_picture(photo, classes) for photo in rest]
    new = {photo.label for photo in given}
    # What is beside the new design, such as a similar note, is among what must be known already.
    beside = [picture for picture in more if picture.label not in new]
    return Pictures(
        [_picture(photo, classes) for photo in taught],
        [picture for picture in more if picture.label in new],
        [*(_read(old, classes) if old else [*_drawn_bills(), *_drawn_things()]), *beside],
        known_only=old is None,
    )


def _read(folder: Path, classes: set[str]) -> list[Picture]:
    return [_picture(photo, classes) for photo in dataset.scan(folder, {}, [])]


def _picture(photo: Photo, classes: set[str]) -> Picture:
    """A class that no version knows, such as a $2 bill, is one of the others."""
    label = photo.label if photo.label in classes else OTHER
    return Picture(label, photo.path.read_bytes())


def _drawn_bills() -> Iterator[Picture]:
    for word, shipped in drawings.SAMPLES.items():
        for seed in (shipped, *range(TRIED)):
            drawing = specimen.encode(drawings.draw(word, seed), "JPEG")
            yield Picture(str(drawings.VALUES[word]), drawing)


def _drawn_things() -> Iterator[Picture]:
    for seed in range(THINGS):
        yield Picture(OTHER, specimen.encode(specimen.other(seed=seed), "JPEG"))


def _snapshot(note: Image.Image, rng: Generator) -> bytes:
    """Returns a JPEG of a note as a phone sees it, on a table that shows nothing else."""
    table = np.asarray(rng.normal(rng.uniform(30, 220, 3), 6, (300, 300, 3)).clip(0, 255), np.uint8)
    seen = augment.view(np.asarray(note), table, rng, augment.without("unstretch"), whole=True)
    file = io.BytesIO()
    Image.fromarray(seen).save(file, "JPEG", quality=90)
    return file.getvalue()
