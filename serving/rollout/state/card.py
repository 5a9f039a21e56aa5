"""What a version's model card tells: of which kind it is, and how often it is right."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

from serving import files

_CARD = Path("assets.extra") / "model_card.json"


class Kind(StrEnum):
    """What a model does, which decides what can be asked of its versions."""

    CLASSIFIER = "classifier"
    COUNTER = "counter"


def kind_of(folder: Path) -> Kind:
    """The kind of a version; one without a card, or whose card names none, is a classifier."""
    try:
        return Kind(_card(folder).get("kind", Kind.CLASSIFIER))
    except (OSError, ValueError):
        return Kind.CLASSIFIER


def accuracy_of(folder: Path) -> float | None:
    """Share of right answers that the version's card tells of, 0 to 1; None where it does not.

    Of a classifier it is that of classes on the best photos; of a counter, that of sums on all
    scenes that it was measured on.
    """
    measure = {Kind.CLASSIFIER: _of_classes, Kind.COUNTER: _of_sums}[kind_of(folder)]
    try:
        return measure(_card(folder)["measures"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        return None


def _card(folder: Path) -> dict[str, Any]:
    """The card; raises `OSError` or `ValueError` where there is none that can be read."""
    card = json.loads(files.read_bytes(folder / _CARD))
    if not isinstance(card, dict):
        raise ValueError("Expected an object.")
    return card


def _of_classes(measures: dict[str, Any]) -> float:
    best = measures.get("other_source") or measures["held_out"]
    return float(best["top_1"]["share"])


def _of_sums(measures: dict[str, Any]) -> float:
    of_each = [scenes["exact sum"] for scenes in measures["held_out_scenes"].values()]
    return float(sum(one["count"] for one in of_each) / sum(one["of"] for one in of_each))
