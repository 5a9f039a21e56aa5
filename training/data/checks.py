"""Checks that photos suffice for what is to be made of them."""

from collections.abc import Iterable
from pathlib import Path

from training.data import dataset
from training.data.dataset import Photo

MINIMUM_PER_CLASS = 2


def require_enough(photos: list[Photo]) -> None:
    """Refuses photos that are too few to train a classifier on.

    Raises:
        ValueError: Fewer than two classes, or a class with too few pictures to hold one out.
    """
    number = dataset.counts(photos)
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


def require_known(photos: list[Photo], classes: list[str], version: str | Path) -> None:
    """Checks that a version knows all classes of the photos.

    Raises:
        ValueError: It does not; the message names the known and the unknown classes.
    """
    if unknown := sorted({photo.label for photo in photos} - set(classes)):
        raise ValueError(
            f"{version} knows {', '.join(classes)}. Received photos of {', '.join(unknown)}: name"
            " another version, or use --relabel or --skip."
        )
