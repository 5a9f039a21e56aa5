"""Splits photos into training photos and held-out photos, which calibrate and evaluate."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable

import numpy as np

from training.data.dataset import Photo
from training.data.duplicates import Hash, difference_hash, groups_of
from webapp.imaging.preprocessing import BadImage

Groups = list[list[Photo]]


def split(
    photos: list[Photo], seed: int, sources: str = "", held_out: float = 0.2
) -> tuple[list[Photo], list[Photo]]:
    """Returns (training, held-out) photos; near-duplicates stay on one side.

    Args:
        photos: All photos.
        seed: Decides, with each file's bytes, which photos are held out. The name of a file, its
            place and the class that its folder counts as have no influence.
        sources: Holds out exactly the photos of these sources, separated by commas, and their
            near-duplicates; empty: the share `held_out` of each folder.
        held_out: The share of each folder to hold out.

    Raises:
        ValueError: One part would be empty, or a source is unknown.
    """
    groups = near_duplicates(photos)
    named = set(sources.split(",")) - {""}
    training, reserved = _by_source(groups, named) if named else _share(groups, seed, held_out)
    if not (training and reserved) or named - {photo.source for photo in photos}:
        raise ValueError(
            f"Not all of {sources!r}, or nothing else, is a source of these photos."
            f" Sources: {sorted({photo.source for photo in photos})}."
            if named
            else "Nothing can be held out: the photos are all copies of each other."
        )
    return [p for group in training for p in group], [p for group in reserved for p in group]


def _by_source(groups: Groups, sources: set[str]) -> tuple[Groups, Groups]:
    """Holds out the sources and the near-duplicates of their photos."""
    reserved = [group for group in groups if any(photo.source in sources for photo in group)]
    return [group for group in groups if group not in reserved], reserved


def _share(groups: Groups, seed: int, held_out: float) -> tuple[Groups, Groups]:
    """Holds out whole groups, in a seeded order, until each folder has given its share.

    The share is of the folder, not of the class, so that versions that relabel a folder differently
    hold out the same photos, and a later one is not evaluated on what an earlier one learnt from.
    """
    number = _folders(photo for group in groups for photo in group)
    wanted = {folder: max(1, round(held_out * n)) for folder, n in number.items()}
    training: Groups = []
    reserved: Groups = []
    for group in sorted(groups, key=lambda group: min(_rank(photo, seed) for photo in group)):
        size = _folders(group)
        fits = all(wanted[folder] >= n for folder, n in size.items())
        (reserved if fits else training).append(group)
        if fits:
            wanted = {folder: n - size[folder] for folder, n in wanted.items()}
    _represent_every_class(training, reserved)
    return training, reserved


def _folders(photos: Iterable[Photo]) -> Counter[str]:
    """Returns the number of photos in each folder."""
    return Counter(photo.path.parent.name for photo in photos)


def _represent_every_class(training: Groups, reserved: Groups) -> None:
    """Holds out the smallest group of a class whose groups were all too large for its fifth."""
    held_out = {photo.label for group in reserved for photo in group}
    for label in sorted({photo.label for group in training for photo in group} - held_out):
        own = [group for group in training if any(photo.label == label for photo in group)]
        if len(own) > 1:
            smallest = min(own, key=len)
            training.remove(smallest)
            reserved.append(smallest)


def near_duplicates(photos: list[Photo]) -> Groups:
    """Returns the photos in groups that show the same picture; an unreadable one stands alone."""
    hashes = [_hash(photo) for photo in photos]
    return [[photos[index] for index in group] for group in groups_of(hashes)]


def _hash(photo: Photo) -> Hash:
    try:
        return difference_hash(photo.read())
    except BadImage:
        return np.frombuffer(_content(photo), np.uint8)


def fingerprint(photos: Iterable[Photo]) -> str:
    """Returns a SHA-256 over labels, file names and bytes, which identifies training data.

    It does not depend on the order of the photos: two folders that count as one class may hold
    different files of the same name, which the bytes then put in order.
    """
    digest = hashlib.sha256()
    for photo in sorted(photos, key=lambda photo: (photo.label, photo.path.name, _content(photo))):
        digest.update(f"{photo.label}/".encode() + os.fsencode(photo.path.name) + b"\n")
        digest.update(photo.path.read_bytes())
    return digest.hexdigest()


def _rank(photo: Photo, seed: int) -> bytes:
    """Returns the key of a seeded order in which equal files are neighbours."""
    return hashlib.sha256(_content(photo) + str(seed).encode()).digest()


def _content(photo: Photo) -> bytes:
    """Returns the SHA-256 of the photo's file."""
    return hashlib.sha256(photo.path.read_bytes()).digest()
