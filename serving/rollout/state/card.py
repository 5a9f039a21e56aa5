"""Reads a version's model card: its kind, its classes and its accuracy."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from serving import files

_CARD = Path("assets.extra") / "model_card.json"


class Kind(StrEnum):
    """What a model does, which decides what requests its versions can answer."""

    CLASSIFIER = "classifier"
    COUNTER = "counter"


class Accuracy(NamedTuple):
    """How often a version is right.

    Attributes:
        share: of right answers, 0 to 1.
        pictures: the pictures of that measurement, such as `486 photos of another source`.
        hard: whether the pictures are hard views, on which every version is right less often.
    """

    share: float
    pictures: str
    hard: bool = False


def kind_of(folder: Path) -> Kind:
    """Returns the kind of a version: a classifier if it has no card, or its card names no kind."""
    try:
        return Kind(_card(folder).get("kind", Kind.CLASSIFIER))
    except (OSError, ValueError):
        return Kind.CLASSIFIER


def classes_of(folder: Path) -> list[str]:
    """Returns the names of the classes in a version's card; empty if the card has none."""
    try:
        named = _card(folder)["classes"]
        return [str(name) for name in named] if isinstance(named, list) else []
    except (OSError, ValueError, KeyError):
        return []


def accuracy_of(folder: Path) -> Accuracy | None:
    """Returns how often a version is right, from its card; None if the card does not say.

    For a classifier: classes, on photos of another source if there are any, else on held-out ones.
    For a counter: exact sums, on all scenes that it was measured on.
    """
    measure = {Kind.CLASSIFIER: _of_classes, Kind.COUNTER: _of_sums}[kind_of(folder)]
    try:
        found = measure(_card(folder))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return None
    # JSON has no NaN, and Python reads one.
    return found if 0 <= found.share <= 1 else None


def _card(folder: Path) -> dict[str, Any]:
    """Reads the card; raises `OSError` or `ValueError` if it cannot be read."""
    try:
        card = json.loads(files.read_bytes(folder / _CARD))
    except RecursionError as error:
        raise ValueError("Expected an object. Received too many levels.") from error
    if not isinstance(card, dict):
        raise ValueError("Expected an object.")
    return card


def _of_classes(card: dict[str, Any]) -> Accuracy:
    measures = card["measures"]
    name = "other_source" if measures.get("other_source") else "held_out"
    # The pictures that `teach` holds out are hard views of photos.
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
