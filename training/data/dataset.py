"""Photos by class: reading a folder with one sub-folder per class, pictures, tensors."""

import csv
import io
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data import files
from training.data.files import shown
from webapp.feedback.store import MARKER
from webapp.imaging.preprocessing import BadImage, open_upright, to_tensor

MINIMUM_PER_CLASS = 2
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
        ValueError: There is no folder, it has no pictures, a sub-folder has none or its name is not
            UTF-8, or the folder holds feedback that nobody has reviewed.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder. Expected one with a sub-folder per class.")
    if (folder / MARKER).exists():
        raise ValueError(
            f"Nobody has looked at the photos in {folder} yet. Run `python -m training review"
            f" {folder.parent}`, which says where the photos lie that you accept."
        )
    rows = _manifest(folder)
    skipped = set(skip)
    photos = [
        _photo(path, relabel.get(name, name), rows.get(f"{name}/{path.name}", {}))
        for path in files.taken(folder, skipped)
        if (name := path.parent.name)
    ]
    if not photos:
        raise ValueError(f"{folder} has no sub-folders with pictures. Expected one per class.")
    _require_none_empty(folder, photos, skipped)
    _require_utf8(photos)
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


def _require_utf8(photos: list[Photo]) -> None:
    """Refuses class names that no signature can carry; the names of files may be any bytes."""
    for photo in photos:
        if shown(photo.label) != photo.label:
            raise ValueError(
                f"The name of the sub-folder {shown(photo.path.parent)} is not UTF-8. Expected a"
                " class name in UTF-8; rename it, or leave it out with --skip."
            )


def require_enough(photos: list[Photo]) -> None:
    """Refuses photos that are too few to train a classifier on.

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


def require_every_class(classes: Iterable[str], readable: Iterable[Photo]) -> None:
    """Checks that each class has at least one readable photo.

    Raises:
        ValueError: A class has none; the message names the classes.
    """
    if missing := set(classes) - {photo.label for photo in readable}:
        raise ValueError(
            f"Of {', '.join(sorted(missing))} no picture to learn from can be read. Expected"
            " some of each class; `python -m training inspect` lists the files."
        )


def classes_of(photos: Iterable[Photo]) -> list[str]:
    """Returns the class names: numbers by value, then the other names in order."""
    return in_order({photo.label for photo in photos})


def in_order(names: Iterable[str]) -> list[str]:
    """Returns names of classes in the order of the model's outputs."""
    return sorted(
        names, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name)
    )


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
        photos: The photos to read.
        change: A change to each picture before it is resized.
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


def _photo(path: Path, label: str, row: Mapping[str, str]) -> Photo:
    source = shown(path.stem.rpartition("-")[0])
    return Photo(path, label, source, row.get("other_kind", ""), row.get("side", ""))


def _manifest(folder: Path) -> dict[str, dict[str, str]]:
    """Returns the manifest's rows by class folder and file name; none without a manifest.

    Raises:
        ValueError: The manifest is not UTF-8, or has no column `file`.
    """
    for manifest in (place / files.MANIFEST for place in (folder, folder.parent)):
        if manifest.is_file():
            own = [row for row in _rows(manifest) if row.get("split", folder.name) == folder.name]
            return {"/".join(row["file"].split("/")[-2:]): row for row in own}
    return {}


def _rows(manifest: Path) -> list[dict[str, str]]:
    try:
        text = manifest.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{manifest} is not UTF-8: {error}.") from error
    rows = csv.DictReader(io.StringIO(text))
    if "file" not in (rows.fieldnames or ()):
        raise ValueError(f"{manifest} has the columns {rows.fieldnames}. Expected one named file.")
    return list(rows)
