"""What a version's model card tells: its kind, its classes, and how often it is right."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from serving import files

_CARD = Path("assets.extra") / "model_card.json"


class Kind(StrEnum):
    """What a model does, which decides what can be asked of its versions."""

    CLASSIFIER = "classifier"
    COUNTER = "counter"


class Accuracy(NamedTuple):
    """How often a version is right.

    Attributes:
        share: of right answers, 0 to 1.
        pictures: what that was measured on, such as `486 photos of another source`.
        hard: whether these are hard views, of which every version knows fewer than of photos.
    """

    share: float
    pictures: str
    hard: bool = False


def kind_of(folder: Path) -> Kind:
    """The kind of a version; one without a card, or whose card names none, is a classifier."""
    try:
        return Kind(_card(folder).get("kind", Kind.CLASSIFIER))
    except (OSError, ValueError):
        return Kind.CLASSIFIER


def classes_of(folder: Path) -> list[str]:
    """The names of the classes that a version's card tells of; none where it does not."""
    try:
        named = _card(folder)["classes"]
        return [str(name) for name in named] if isinstance(named, list) else []
    except (OSError, ValueError, KeyError):
        return []


def accuracy_of(folder: Path) -> Accuracy | None:
    """How often a version is right by its card; None where the card does not tell.

    Of a classifier it is that of classes on the best photos; of a counter, that of sums on all
    scenes that it was measured on.
    """
    measure = {Kind.CLASSIFIER: _of_classes, Kind.COUNTER: _of_sums}[kind_of(folder)]
    try:
        return measure(_card(folder))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        return None


def _card(folder: Path) -> dict[str, Any]:
    """The card; raises `OSError` or `ValueError` where there is none that can be read."""
    card = json.loads(files.read_bytes(folder / _CARD))
    if not isinstance(card, dict):
        raise ValueError("Expected an object.")
    return card


def _of_classes(card: dict[str, Any]) -> Accuracy:
    measures = card["measures"]
    name = "other_source" if measures.get("other_source") else "held_out"
    # What teaching keeps of the photos to judge by are hard views of them.
    is_taught = "taught" in card
    words = {
        "other_source": "photos of another source",
        "held_out": "hard views" if is_taught else "held-out photos",
    }
    right = measures[name]["top_1"]
    pictures = f"{int(right['of']):,} {words[name]}"
    return Accuracy(float(right["share"]), pictures, is_taught and name == "held_out")


def _of_sums(card: dict[str, Any]) -> Accuracy:
    of_each = [scenes["exact sum"] for scenes in card["measures"]["held_out_scenes"].values()]
    scenes = sum(int(one["of"]) for one in of_each)
    right = sum(int(one["count"]) for one in of_each)
    return Accuracy(right / scenes, f"{scenes:,} made scenes")
