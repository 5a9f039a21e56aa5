"""Splits photos into training photos and held-out photos, which calibrate and evaluate."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from training.data.dataset import Photo
from training.data.duplicates import Hash, difference_hash, groups_of
from webapp.imaging.preprocessing import BadImage

Groups = list[list[Photo]]


def split(
    photos: list[Photo],
    seed: int,
    sources: str = "",
    held_out: float = 0.2,
    groups: Groups | None = None,
) -> tuple[list[Photo], list[Photo]]:
    """Returns (training, held-out) photos; near-duplicates stay on one side.

    Args:
        photos: All photos.
        seed: Decides, with each file's bytes, which photos are held out. The name of a file, its
            place and the class that its folder counts as have no influence.
        sources: Holds out exactly the photos of these sources, separated by commas, and their
            near-duplicates; empty: the share `held_out` of each folder.
        held_out: The share of each folder to hold out.
        groups: The `near_duplicates` of the photos; None finds them, which reads every photo.

    Raises:
        ValueError: One part would be empty, or a source is unknown.
    """
    groups = near_duplicates(photos) if groups is None else groups
    named = set(sources.split(",")) - {""}
    training, reserved = _by_source(groups, named) if named else _share(groups, seed, held_out)
    return [p for group in training for p in group], [p for group in reserved for p in group]


def held_out_of(facts: dict[str, Any], photos: list[Photo]) -> list[Photo]:
    """Returns the photos that a run held out, after checking their fingerprint.

    Raises:
        ValueError: They are not the photos of the run, whose `run.json` is `facts`.
    """
    recipe = facts["recipe"]
    _, held_out = split(photos, recipe["seed"], recipe.get("held_out_source", ""))
    if fingerprint(held_out) != facts["held_out_fingerprint"]:
        raise ValueError(
            "These are not the photos that the run was trained on, so it is unknown which of them"
            f" it has not seen. It was trained by: {facts['command']}"
        )
    return held_out


def _by_source(groups: Groups, sources: set[str]) -> tuple[Groups, Groups]:
    """Holds out the sources and the near-duplicates of their photos."""
    existing = {photo.source for group in groups for photo in group}
    if missing := sorted(sources - existing):
        raise ValueError(f"Unknown source {', '.join(missing)}. Sources: {sorted(existing)}.")
    reserved = [group for group in groups if any(photo.source in sources for photo in group)]
    training = [group for group in groups if group not in reserved]
    if not training:
        named = ", ".join(sorted(sources))
        raise ValueError(f"Without {named} and copies of their photos nothing is left to train on.")
    return training, reserved


def _share(groups: Groups, seed: int, held_out: float) -> tuple[Groups, Groups]:
    """Holds out whole groups, in a seeded order, until each folder has given its share.

    The share is of the folder, not of the class, so that versions that relabel a folder differently
    hold out the same photos, and a later one is not evaluated on what an earlier one learnt from.
    """
    number = _folders(photo for group in groups for photo in group)
    wanted = Counter({folder: max(1, round(held_out * n)) for folder, n in number.items()})
    training: Groups = []
    reserved: Groups = []
    for group in sorted(groups, key=lambda group: min(_rank(photo, seed) for photo in group)):
        size = _folders(group)
        if all(wanted[folder] >= n for folder, n in size.items()):
            reserved.append(group)
            wanted.subtract(size)
        else:
            training.append(group)
    _represent_every_class(training, reserved)
    if not (training and reserved):
        raise ValueError("Nothing can be held out: the photos are all copies of each other.")
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


def contradictions(groups: Groups) -> Groups:
    """Returns the groups that lie in more than one class: at least one label is wrong."""
    return [group for group in groups if len({photo.label for photo in group}) > 1]


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
