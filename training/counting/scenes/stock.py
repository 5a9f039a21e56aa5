"""What scenes are made of: flat bills by class, other notes, other things, backgrounds."""

from typing import NamedTuple

from training.augmentation.camera import Pixels
from training.augmentation.made_up import is_flat
from training.data import dataset
from training.data.dataset import OTHER, Photo


class Stock(NamedTuple):
    """What scenes are made of, uint8 [H,W,3] RGB each.

    Attributes:
        bills: Flat photos by class: the whole picture is the bill.
        notes: Flat photos of notes that are no US bills of the classes.
        things: Pictures of anything else, laid beside and over bills.
        backgrounds: What bills are laid on.
    """

    bills: dict[str, list[Pixels]]
    notes: list[Pixels]
    things: list[Pixels]
    backgrounds: list[Pixels]


def stock_of(photos: list[Photo], bills: dict[str, list[Pixels]] | None = None) -> Stock:
    """Reads photos and sorts them.

    Args:
        photos: All of them.
        bills: The bills by class, where they are known; None: the flat ones among the photos.

    Raises:
        ValueError: There are flat photos of fewer than two classes of bills.
    """
    readable, pictures = dataset.load(photos)
    found: dict[str, list[Pixels]] = {}
    notes: list[Pixels] = []
    things: list[Pixels] = []
    for photo, picture in zip(readable, pictures, strict=True):
        if photo.label != OTHER and is_flat(picture):
            found.setdefault(photo.label, []).append(picture)
        elif photo.label == OTHER:
            (notes if is_flat(picture) else things).append(picture)
    bills = bills or found
    if len(bills) < 2:
        raise ValueError(
            f"There are photos that a whole bill fills of {list(bills)} only. Expected some of at"
            " least two classes, about 2.35 times as wide as high."
        )
    return Stock(bills, notes, things, dataset.backgrounds(readable, pictures))
