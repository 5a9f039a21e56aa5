"""Photos by class: a folder with one sub-folder per class, and its split."""

import csv
import hashlib
import io
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.duplicates import Hash, difference_hash, groups_of
from webapp.preprocessing import BadImage, open_upright, to_tensor

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif", ".gif", ".bmp", ".tif", ".tiff"}
MINIMUM_PER_CLASS = 2
# The class of everything that is none of the denominations.
OTHER = "Other"
# Enough for 224-pixel training views; keeps thousands of decoded photos in memory.
CACHED_SIDE = 400


@dataclass(frozen=True)
class Photo:
    """One file. `source` says whose photos it belongs to, `kind` what an `Other` shows."""

    path: Path
    label: str
    source: str
    kind: str = ""

    def read(self) -> Image.Image:
        """Returns the upright RGB picture, read as the front end reads an upload.

        Raises:
            BadImage: The file cannot be read as a picture.
        """
        return open_upright(self.path.read_bytes())


def scan(folder: Path, relabel: Mapping[str, str], skip: Iterable[str]) -> list[Photo]:
    """Returns the photos below `folder`, sorted by path; a sub-folder's name is the class.

    Args:
        folder: One sub-folder per class. A `manifest.csv` in it or above it may name each file's
            `other_kind`; the source is the file name up to its last hyphen.
        relabel: Sub-folders to count as another class, e.g. `{"2": "Other"}`.
        skip: Sub-folders to leave out.

    Raises:
        ValueError: No folder, or no pictures in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder. Expected one with a sub-folder per class.")
    kinds = _kinds(folder)
    photos = [
        Photo(path, relabel.get(name, name), _source(path), kinds.get(f"{name}/{path.name}", ""))
        for path in sorted(folder.glob("*/*"))
        if path.suffix.lower() in SUFFIXES and (name := path.parent.name) not in set(skip)
    ]
    if not photos:
        raise ValueError(f"{folder} has no sub-folders with pictures. Expected one per class.")
    return photos


def require_enough(photos: list[Photo]) -> None:
    """Refuses photos that no classifier can be trained on.

    Raises:
        ValueError: Fewer than two classes, or a class with too few pictures to hold one out.
    """
    number = counts(photos)
    if len(number) < 2:
        raise ValueError(
            f"There are photos of {len(number)} class only: {list(number)}. Expected at least two"
            " sub-folders with pictures, for example `20/` and `Other/`."
        )
    few = {label: n for label, n in number.items() if n < MINIMUM_PER_CLASS}
    if few:
        raise ValueError(
            f"Too few photos: {few}. Expected at least {MINIMUM_PER_CLASS} of each class; leave a"
            " sub-folder out with --skip."
        )


def classes_of(photos: Iterable[Photo]) -> list[str]:
    """Returns the class names: numbers by value, then the other names in order."""
    names = {photo.label for photo in photos}
    return sorted(
        names, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name)
    )


def split(photos: list[Photo], seed: int, held_out: float = 0.2) -> tuple[list[Photo], list[Photo]]:
    """Returns (training, held-out) photos: about `held_out` of each class, by the seed alone.

    Near-duplicates stay on one side. The order hangs on each file's bytes, so that a new name or
    place changes nothing.

    Raises:
        ValueError: All photos are near-duplicates.
    """
    groups = sorted(near_duplicates(photos), key=lambda group: min(_rank(p, seed) for p in group))
    wanted = {label: max(1, round(held_out * n)) for label, n in counts(photos).items()}
    training: list[list[Photo]] = []
    reserved: list[list[Photo]] = []
    for group in groups:
        size = counts(group)
        fits = all(wanted[label] >= n for label, n in size.items())
        (reserved if fits else training).append(group)
        if fits:
            wanted = {label: n - size.get(label, 0) for label, n in wanted.items()}
    _represent_every_class(training, reserved)
    if not (training and reserved):
        raise ValueError("Nothing can be held out: the photos are all copies of each other.")
    return [p for group in training for p in group], [p for group in reserved for p in group]


def _represent_every_class(training: list[list[Photo]], reserved: list[list[Photo]]) -> None:
    """Holds out the smallest group of a class whose groups were all too large for its fifth."""
    held_out = {photo.label for group in reserved for photo in group}
    for label in sorted({photo.label for group in training for photo in group} - held_out):
        own = [group for group in training if any(photo.label == label for photo in group)]
        if len(own) > 1:
            smallest = min(own, key=len)
            training.remove(smallest)
            reserved.append(smallest)


def near_duplicates(photos: list[Photo]) -> list[list[Photo]]:
    """Returns the photos in groups that show the same picture; an unreadable one stands alone."""
    hashes = [_hash(photo) for photo in photos]
    return [[photos[index] for index in group] for group in groups_of(hashes)]


def _hash(photo: Photo) -> Hash:
    try:
        return difference_hash(photo.read())
    except BadImage:
        return np.frombuffer(hashlib.sha256(photo.path.read_bytes()).digest(), np.uint8)


def load(photos: list[Photo]) -> tuple[list[Photo], list[NDArray[np.uint8]]]:
    """Decodes photos into memory for training views, none larger than `CACHED_SIDE`.

    Returns:
        The readable photos and their pixels, uint8 [H,W,3] RGB.
    """
    readable, pictures = [], []
    for photo, picture in _readable(photos):
        picture.thumbnail((CACHED_SIDE, CACHED_SIDE))
        readable.append(photo)
        pictures.append(np.asarray(picture))
    return readable, pictures


def tensors(
    photos: list[Photo], change: Callable[[Image.Image], Image.Image] = lambda picture: picture
) -> tuple[list[Photo], NDArray[np.uint8]]:
    """Returns the readable photos, and each as the front end sends it, uint8 [N,224,224,3].

    Args:
        photos: What to read.
        change: Done to each picture before it is shrunk.
    """
    pairs = [(photo, to_tensor(change(picture))) for photo, picture in _readable(photos)]
    return [photo for photo, _ in pairs], np.stack([tensor for _, tensor in pairs])


def _readable(photos: list[Photo]) -> Iterator[tuple[Photo, Image.Image]]:
    """Gives photos with their pictures; says which could not be read, and how many."""
    bad = 0
    for photo in photos:
        try:
            picture = photo.read()
        except BadImage as error:
            bad += 1
            print(f"left out {photo.path}: {error}", file=sys.stderr)  # noqa: T201
            continue
        yield photo, picture
    if bad:
        print(f"left out {bad} of {len(photos)} photos", file=sys.stderr)  # noqa: T201


def backgrounds(photos: list[Photo], pictures: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Returns pictures to lay bills on: everyday objects where a manifest names them, else any."""
    pairs = list(zip(photos, pictures, strict=True))
    everyday = [picture for photo, picture in pairs if photo.kind == "object"]
    return everyday or [picture for photo, picture in pairs if photo.label == OTHER] or pictures


def sampling_weights(photos: list[Photo], share: Mapping[str, float]) -> NDArray[np.float64]:
    """Returns each photo's probability of being drawn, float64 [N], summing to 1.

    Classes get their `share` (1 where not named); within a class a source counts by the square
    root of its size, so that one large set of similar photos does not drown the others.
    """
    sizes = Counter((photo.label, photo.source) for photo in photos)
    raw = np.array([sizes[photo.label, photo.source] ** -0.5 for photo in photos])
    for label in classes_of(photos):
        members = np.array([photo.label == label for photo in photos])
        raw[members] *= share.get(label, 1.0) / raw[members].sum()
    return np.asarray(raw / raw.sum())


def fingerprint(photos: Iterable[Photo]) -> str:
    """Returns a SHA-256 over labels and bytes: which data a model was trained on."""
    digest = hashlib.sha256()
    for photo in sorted(photos, key=lambda photo: (photo.label, photo.path.name)):
        digest.update(f"{photo.label}/{photo.path.name}\n".encode())
        digest.update(photo.path.read_bytes())
    return digest.hexdigest()


def counts(photos: Iterable[Photo]) -> dict[str, int]:
    """Returns the number of photos of each class."""
    photos = list(photos)
    number = Counter(photo.label for photo in photos)
    return {label: number[label] for label in classes_of(photos)}


def _rank(photo: Photo, seed: int) -> bytes:
    """A seeded order in which equal files stand together."""
    content = hashlib.sha256(photo.path.read_bytes()).digest()
    return hashlib.sha256(content + str(seed).encode()).digest()


def _source(path: Path) -> str:
    return path.stem.rpartition("-")[0]


def _kinds(folder: Path) -> dict[str, str]:
    """Returns what each `Other` shows, by class folder and file name, if a manifest says so."""
    for place in (folder, folder.parent):
        if (manifest := place / "manifest.csv").is_file():
            rows = csv.DictReader(io.StringIO(manifest.read_text(encoding="utf-8")))
            own = [row for row in rows if row.get("split", folder.name) == folder.name]
            return {"/".join(row["file"].split("/")[-2:]): row.get("other_kind", "") for row in own}
    return {}
