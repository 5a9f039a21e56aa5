"""Fixed sets of scenes, and how often the bills found in the scenes are the right ones."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation.camera import EffectProbabilities, Pixels
from training.counting.scenes import photos, places
from training.counting.scenes.compose import LAID_FLAT, Handling, compose
from training.counting.scenes.joined import joined
from training.counting.scenes.places import Placer
from training.counting.scenes.scene import Scene, taken
from training.counting.scenes.stock import Stock
from webapp.imaging.preprocessing import COUNT_SIZE

_NO_EFFECTS = EffectProbabilities(shadow=0, glare=0, colour=0, blur=0, noise=0, jpeg=0)
BATCH = 8


class Kind(NamedTuple):
    """A kind of scene.

    Attributes:
        numbers: The least and the largest number of bills.
        arrangements: How the bills may lie, see `places`.
        differ: Whether no two bills are of one class.
        handling: What hands do to the bills.
        photos: Whether each bill is a separate photo, next to the others.
    """

    numbers: tuple[int, int]
    arrangements: tuple[Placer, ...]
    differ: bool = False
    handling: Handling = LAID_FLAT
    photos: bool = False


FANS = "fans and stacks of 2 to 5, 40 to 60 % covered"
KINDS = {
    "two different bills side by side": Kind((2, 2), (places.rows,), differ=True),
    "2 to 5 bills, up to 30 % covered": Kind((2, 5), (places.apart, places.up_to_30)),
    FANS: Kind((2, 5), (places.half_covered,)),
    "1 to 4 bills, bent and held by a hand": Kind(
        (1, 4), (places.apart, places.up_to_30, places.fanned), handling=Handling(bent=0.7, held=1)
    ),
    "photos of one bill": Kind((1, 1), (), photos=True),
    "photos of two different bills, joined": Kind((2, 2), (), differ=True, photos=True),
    "one bill": Kind((1, 1), (places.apart,)),
    "no bill": Kind((0, 0), (places.apart,)),
}


def kinds_of(stock: Stock) -> dict[str, Kind]:
    """Returns the kinds for which the stock has photos, of two classes where the bills differ."""

    def classes(kind: Kind) -> int:
        return len({known.label for known in stock.known} if kind.photos else stock.bills)

    return {name: kind for name, kind in KINDS.items() if classes(kind) >= 1 + kind.differ}


class Answer(NamedTuple):
    """The bills that were found in a picture, and the right ones.

    Attributes:
        there: The right classes of the picture's bills, sorted.
        found: The classes of the bills that were found, sorted.
        sure: Whether the list was accepted.
    """

    there: list[str]
    found: list[str]
    sure: bool


Counting = Callable[[Pixels], Iterable[tuple[list[str], bool]]]
"""Maps uint8 [N,448,448,3] to the classes found in each picture, and whether it accepts them."""


def scenes(kind: Kind, stock: Stock, seed: int, number: int, *, hard: bool) -> Iterator[Scene]:
    """Yields scenes, the same scenes for the same seed and photos.

    Args:
        kind: The kind of the scenes.
        stock: The photos that scenes are made of.
        seed: The seed.
        number: How many scenes.
        hard: Whether to apply the effects of light, lens and file format; otherwise the photos stay
            unchanged.
    """
    rng = np.random.default_rng((seed, number, hard))
    while number:
        made = _composed(kind, stock, rng, EffectProbabilities() if hard else _NO_EFFECTS)
        if made:
            number -= 1
            yield made


def _composed(kind: Kind, stock: Stock, rng: Generator, odds: EffectProbabilities) -> Scene | None:
    """Returns a scene; None if not all bills have a place, or one is hardly visible."""
    wanted = int(rng.integers(kind.numbers[0], kind.numbers[1] + 1))
    if kind.photos:
        frames = [photos.framed(stock.known, rng) for _ in range(wanted)]
        made = taken(joined(frames, rng) if wanted > 1 else frames[0], rng, odds, COUNT_SIZE)
    else:
        place = kind.arrangements[rng.integers(len(kind.arrangements))]
        made = compose(stock, wanted, place, rng, odds, handling=kind.handling)
    labels = [bill.label for bill in made.bills]
    alike = kind.differ and len(set(labels)) < len(labels)
    return None if len(labels) != wanted or alike else made


def answers(made: Iterable[Scene], count: Counting) -> list[Answer]:
    """Returns the answers to all scenes."""
    given: list[Answer] = []
    waiting: list[Scene] = []

    def ask() -> None:
        found = count(np.stack([scene.pixels for scene in waiting]))
        for scene, (classes, sure) in zip(waiting, found, strict=True):
            there = sorted(bill.label for bill in scene.bills)
            given.append(Answer(there, sorted(classes), bool(sure)))
        waiting.clear()

    for scene in made:
        waiting.append(scene)
        if len(waiting) == BATCH:
            ask()
    if waiting:
        ask()
    return given


def total(classes: Iterable[str]) -> int:
    """Returns the sum of bills in dollars; a class whose name is not a number counts 0."""
    return sum(int(name) for name in classes if name.isdecimal())


def figures(given: list[Answer]) -> dict[str, Any]:
    """Returns shares of N pictures, each as its count and N."""
    right_sum = np.array([total(a.there) == total(a.found) for a in given])
    sure = np.array([a.sure for a in given])
    single = [a.sure and len(a.there) > 1 and len(a.found) == 1 for a in given]
    return {
        "exact count": ratio([len(a.there) == len(a.found) for a in given]),
        "exact bills": ratio([Counter(a.there) == Counter(a.found) for a in given]),
        "exact sum": ratio(right_sum),
        "sure": ratio(sure),
        "wrong sum while sure": ratio(sure & ~right_sum),
        "several bills, surely one": ratio(single),
    }


def ratio(of: NDArray[np.bool_] | list[bool]) -> dict[str, Any]:
    """Returns how many of N are true: the count, N, and their ratio."""
    count = int(np.sum(of))
    return {"count": count, "of": len(of), "share": count / len(of) if len(of) else None}
