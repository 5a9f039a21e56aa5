"""Checks photos before training: counts, sizes, unreadable files, duplicates, wrong labels."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from training.data import dataset
from training.data.dataset import Photo
from training.data.duplicates import difference_hash, groups_of
from training.data.files import shown
from training.data.split import contradictions
from webapp.imaging.preprocessing import BadImage

TILE = (112, 112)
TILES_PER_CLASS = 12


class Findings(NamedTuple):
    """The result of reading and comparing all photos.

    Attributes:
        photos: All files of the classes.
        sizes: (width, height) in pixels of each photo that can be read.
        unreadable: The photos that cannot be read.
        duplicates: Groups of two or more that show the same picture.
    """

    photos: list[Photo]
    sizes: dict[Photo, tuple[int, int]]
    unreadable: list[Photo]
    duplicates: list[list[Photo]]

    @property
    def contradictions(self) -> list[list[Photo]]:
        """Groups of duplicates that lie in more than one class."""
        return contradictions(self.duplicates)


def look(photos: list[Photo]) -> Findings:
    """Reads every photo once and compares them all.

    Raises:
        ValueError: None of the photos can be read.
    """
    sizes: dict[Photo, tuple[int, int]] = {}
    hashes = []
    for photo in photos:
        try:
            picture = photo.read()
        except BadImage:
            continue
        sizes[photo] = picture.size
        hashes.append(difference_hash(picture))
    dataset.require_some(len(sizes), photos)
    readable = list(sizes)
    groups = [[readable[index] for index in group] for group in groups_of(hashes)]
    return Findings(
        photos=photos,
        sizes=sizes,
        unreadable=[photo for photo in photos if photo not in sizes],
        duplicates=[group for group in groups if len(group) > 1],
    )


def table(found: Findings) -> str:
    """Returns the findings as lines for a terminal."""
    lines = [f"{'class':<12}{'photos':>8}{'sources':>9}{'shorter side, px':>20}"]
    for label, number in dataset.counts(found.photos).items():
        sources = {photo.source for photo in found.photos if photo.label == label}
        shorter = [min(size) for photo, size in found.sizes.items() if photo.label == label]
        span = f"{min(shorter)} to {max(shorter)}" if shorter else "none readable"
        lines.append(f"{label:<12}{number:>8}{len(sources):>9}{span:>20}")
    copies = sum(map(len, found.duplicates))
    lines.append(f"near-duplicates: {copies} photos in {len(found.duplicates)} groups")
    lines += [f"unreadable: {shown(photo.path)}" for photo in found.unreadable]
    lines += [f"same picture, two classes: {_names(group)}" for group in found.contradictions]
    return "\n".join(lines)


def contact_sheet(found: Findings, seed: int = 1) -> Image.Image:
    """Returns one row of random photos per class, in one picture."""
    labels = dataset.classes_of(found.sizes)
    rng = np.random.default_rng(seed)
    sheet = Image.new("RGB", (TILES_PER_CLASS * TILE[0], len(labels) * TILE[1]), "white")
    for row, label in enumerate(labels):
        members = [photo for photo in found.sizes if photo.label == label]
        chosen = rng.permutation(len(members))[:TILES_PER_CLASS]
        for column, index in enumerate(chosen):
            picture = members[index].read()
            picture.thumbnail(TILE)
            sheet.paste(picture, (column * TILE[0], row * TILE[1]))
    return sheet


def _names(group: list[Photo]) -> str:
    return ", ".join(shown(f"{p.path.parent.name}/{p.path.name}") for p in group)
