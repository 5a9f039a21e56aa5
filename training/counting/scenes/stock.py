"""What scenes are made of: flat bills by class, other notes, other things, backgrounds."""

from pathlib import Path
from typing import NamedTuple

from training.augmentation.camera import Pixels
from training.augmentation.made_up import is_flat
from training.counting.scenes.flat import Flat, flat_bills
from training.data import dataset
from training.data.dataset import OTHER, Photo


class Stock(NamedTuple):
    """What scenes are made of, uint8 [H,W,3] RGB each.

    Attributes:
        bills: Flat photos by class, the whole picture being the bill; those of a class in a list
            for each side that they show, since scenes show each side equally often.
        notes: Flat photos of notes that are no US bills of the classes.
        things: Pictures of anything else, laid beside and over bills.
        backgrounds: What bills are laid on.
    """

    bills: dict[str, list[list[Pixels]]]
    notes: list[Pixels]
    things: list[Pixels]
    backgrounds: list[Pixels]


def stock_of(photos: list[Photo], marked: Path | None = None, *, alone: bool = False) -> Stock:
    """Reads photos and sorts them.

    Args:
        photos: All of them.
        marked: A file with the corners of bills in them, see `corners`.
        alone: Whether those bills are the only ones, and not also each photo that a bill fills.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: There are flat photos of fewer than two classes of bills; or see `corners.read`.
    """
    readable, pictures = dataset.load(photos)
    bills = flat_bills(photos, marked) if marked else []
    notes: list[Pixels] = []
    things: list[Pixels] = []
    for photo, picture in zip(readable, pictures, strict=True):
        if photo.label != OTHER and is_flat(picture) and not alone:
            bills.append(Flat(photo.label, photo.side, picture))
        elif photo.label == OTHER:
            (notes if is_flat(picture) else things).append(picture)
    return Stock(_sorted(bills), notes, things, dataset.backgrounds(readable, pictures))


def _sorted(bills: list[Flat]) -> dict[str, list[list[Pixels]]]:
    found: dict[str, dict[str, list[Pixels]]] = {}
    for bill in bills:
        found.setdefault(bill.label, {}).setdefault(bill.side, []).append(bill.pixels)
    if len(found) < 2:
        raise ValueError(
            f"There are photos that a whole bill fills of {list(found)} only. Expected some of at"
            " least two classes, about 2.35 times as wide as high."
        )
    return {label: list(sides.values()) for label, sides in found.items()}
