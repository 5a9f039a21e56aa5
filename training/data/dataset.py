"""Photos by class: reading a folder with one sub-folder per class, pictures, tensors."""

import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data import csv_files, files
from training.data.files import shown
from webapp.feedback.store import MARKER
from webapp.imaging.preprocessing import BadImage, open_upright, to_tensor

# The class of all pictures that show none of the denominations.
OTHER = "Other"
# Enough for 224-pixel training views; keeps thousands of decoded photos in memory.
CACHED_SIDE = 400
_COLOURS = ("black", "dimgrey", "darkgrey", "white", "saddlebrown", "tan", "seagreen", "steelblue")
PLAIN = [np.asarray(Image.new("RGB", (64, 64), colour)) for colour in _COLOURS]
"""Plain tables, uint8 [64,64,3], to lay bills on where there is no picture of anything else."""


@dataclass(frozen=True)
class Photo:
    """One file.

    Attributes:
        path: The file.
        label: Its class.
        source: The name of the collection that it belongs to.
        kind: The kind of thing that an `Other` shows, where a manifest says so.
        side: The side of the bill that it shows, where a manifest says so.
    """

    path: Path
    label: str
    source: str
    kind: str = ""
    side: str = ""

    def read(self) -> Image.Image:
        """Returns the upright RGB picture, read as the front end reads an upload.

        Raises:
            BadImage: The file cannot be read as a picture.
        """
        return open_upright(self.path.read_bytes())


def scan(folder: Path, relabel: Mapping[str, str], skip: Iterable[str]) -> list[Photo]:
    """Returns the photos below `folder`, sorted by path; a sub-folder's name is the class.

    Args:
        folder: One sub-folder per class. A `manifest.csv` in it or above it may give each `file`
            its `other_kind` and `side`; the source is the file name up to its last hyphen.
        relabel: Sub-folders to count as another class, e.g. `{"2": "Other"}`.
        skip: Sub-folders to leave out.

    Raises:
        ValueError: There is no folder, it has no pictures, a sub-folder has none, the name of a
            class is not UTF-8 or has a control character, or the folder holds feedback that nobody
            has reviewed.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder. Expected one with a sub-folder per class.")
    if (folder / MARKER).exists():
        raise ValueError(
            f"Nobody has looked at the photos in {folder} yet. Run `python -m training review"
            f" {folder.parent}`, which says where the photos lie that you accept."
        )
    rows = csv_files.manifest(folder)
    skipped = set(skip)
    photos = [
        _photo(path, relabel.get(name, name), rows.get(f"{name}/{path.name}", {}))
        for path in files.taken(folder, skipped)
        if (name := path.parent.name)
    ]
    if not photos:
        raise ValueError(f"{folder} has no sub-folders with pictures. Expected one per class.")
    _require_none_empty(folder, photos, skipped)
    _require_plain_names(photos)
    return photos


def _require_none_empty(folder: Path, photos: list[Photo], skip: set[str]) -> None:
    """Refuses a class that would otherwise be left out silently."""
    with_photos = {photo.path.parent.name for photo in photos}
    empty = sorted(files.class_folders(folder) - with_photos - skip)
    if empty:
        raise ValueError(
            f"No pictures in {', '.join(shown(folder / name) for name in empty)}. Expected files"
            " such as a.jpg right inside it, not in a nested folder; leave a sub-folder out with"
            " --skip."
        )


def _require_plain_names(photos: list[Photo]) -> None:
    """Refuses class names that signatures or terminals cannot carry; file names may be any."""
    for label in {photo.label for photo in photos}:
        if reason := _unfit(label):
            raise ValueError(
                f"The name of the class {shown(label)} {reason}. Expected a class name in UTF-8"
                " without control characters; rename its sub-folder, or leave it out with --skip."
            )


def _unfit(label: str) -> str:
    try:
        label.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    controls = any(unicodedata.category(character) == "Cc" for character in label)
    return "has a control character" if controls else ""


def classes_of(photos: Iterable[Photo]) -> list[str]:
    """Returns the class names: numbers by value, then the other names in order."""
    return in_order({photo.label for photo in photos})


def in_order(names: Iterable[str]) -> list[str]:
    """Returns names of classes in the order of the model's outputs."""
    return sorted(
        names, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)
    )


def readable(photos: list[Photo]) -> list[Photo]:
    """Returns the photos that can be read; see `load`."""
    return [photo for photo, _ in _readable(photos)]


def load(photos: list[Photo]) -> tuple[list[Photo], list[NDArray[np.uint8]]]:
    """Decodes photos into memory for training views, none larger than `CACHED_SIDE`.

    Returns:
        The readable photos and their pixels, uint8 [H,W,3] RGB.

    Raises:
        ValueError: None of the photos can be read.
    """
    found, pictures = [], []
    for photo, picture in _readable(photos):
        picture.thumbnail((CACHED_SIDE, CACHED_SIDE))
        found.append(photo)
        pictures.append(np.asarray(picture))
    return found, pictures


def tensors(
    photos: list[Photo], change: Callable[[Image.Image], Image.Image] = lambda picture: picture
) -> tuple[list[Photo], NDArray[np.uint8]]:
    """Returns the readable photos, and each as the front end sends it, uint8 [N,224,224,3].

    Args:
        photos: The photos to read.
        change: A change to each picture before it is resized.

    Raises:
        ValueError: None of the photos can be read.
    """
    pairs = [(photo, to_tensor(change(picture))) for photo, picture in _readable(photos)]
    return [photo for photo, _ in pairs], np.stack([tensor for _, tensor in pairs])


def _readable(photos: list[Photo]) -> Iterator[tuple[Photo, Image.Image]]:
    """Yields the readable photos with their pictures, and prints which photos are unreadable."""
    bad = 0
    for photo in photos:
        try:
            picture = photo.read()
        except BadImage as error:
            bad += 1
            print(f"left out {shown(photo.path)}: {error}", file=sys.stderr)  # noqa: T201
            continue
        yield photo, picture
    if bad:
        print(f"left out {bad} of {len(photos)} photos", file=sys.stderr)  # noqa: T201
    require_some(len(photos) - bad, photos)


def require_some(readable: int, photos: list[Photo]) -> None:
    """Checks that at least one of the photos can be read.

    Raises:
        ValueError: None can.
    """
    if photos and not readable:
        raise ValueError(f"None of the {len(photos)} photos can be read.")


def backgrounds(photos: list[Photo], pictures: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Returns pictures to lay bills on: the everyday objects in a manifest, or else any `Other`.

    Without either, photos of one class lie on each other, and those of several on plain colours: a
    bill on one of another class would be labelled with one of two classes that it shows.
    """
    pairs = list(zip(photos, pictures, strict=True))
    everyday = [picture for photo, picture in pairs if photo.kind == "object"]
    others = [picture for photo, picture in pairs if photo.label == OTHER]
    one_class = pictures if len({photo.label for photo in photos}) == 1 else []
    return everyday or others or one_class or PLAIN


def counts(photos: Iterable[Photo]) -> dict[str, int]:
    """Returns the number of photos of each class."""
    photos = list(photos)
    number = Counter(photo.label for photo in photos)
    return {label: number[label] for label in classes_of(photos)}


def by_source(photos: list[Photo]) -> dict[str, dict[str, int]]:
    """Returns how many photos of each class each source gave, the largest source first."""
    sources = Counter(photo.source for photo in photos)
    counted = Counter((photo.source, photo.label) for photo in photos)
    labels = classes_of(photos)
    return {
        source: {label: counted[source, label] for label in labels if counted[source, label]}
        for source, _ in sources.most_common()
    }


def _photo(path: Path, label: str, row: Mapping[str, str]) -> Photo:
    source = shown(path.stem.rpartition("-")[0])
    return Photo(path, label, source, row.get("other_kind", ""), row.get("side", ""))
