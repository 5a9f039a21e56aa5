"""Compares a version in float32 and in bfloat16: whether half the bits give the same answers."""

from pathlib import Path
from typing import Any

import numpy as np

from training.data.dataset import OTHER, Photo
from training.evaluation.evaluate import Version
from training.evaluation.measures import Answers, calibration_error
from training.evaluation.slices import SLICES
from training.evaluation.tables import markdown_rows

ALL = "all pictures"
_COUNTS = {
    "pictures": "pictures",
    "accepted_in_both": "sure, and the same in both",
    "of_different_classes": "sure, of different classes",
    "accepted_only_in_float32": "sure in float32 only",
    "accepted_only_in_bfloat16": "sure in bfloat16 only",
}
_HEAD = [
    *("condition", *_COUNTS.values(), "sure and wrong, float32 / bfloat16"),
    *("largest change of a probability", "calibration error, float32 / bfloat16"),
]


def compare(folder: Path, photos: list[Photo], *, slices: bool = False) -> dict[str, Any]:
    """Returns how far both precisions agree, by condition, ready for JSON; see `agreement`.

    Args:
        folder: The folder of the version, e.g. `models/us_bills/1`.
        photos: Photos of the model's classes.
        slices: Whether to compare also under each of `SLICES`, on the bills alone.
    """
    full, half = Version(folder), Version(folder, bfloat16=True)
    found = {ALL: agreement(full.ask(photos), half.ask(photos))}
    bills = [photo for photo in photos if photo.label != OTHER]
    for name, change in SLICES.items() if slices and bills else ():
        found[name] = agreement(full.ask(bills, change), half.ask(bills, change))
    return found


def agreement(full: Answers, half: Answers) -> dict[str, Any]:
    """Returns how many answers both precisions accept, or one alone, and figures of both.

    If both answers are accepted and have the same class, a user notices no difference.
    """
    same = np.array(full.said) == np.array(half.said)
    both = full.accepted & half.accepted
    return {
        "pictures": len(same),
        "accepted_in_both": int((both & same).sum()),
        "of_different_classes": int((both & ~same).sum()),
        "accepted_only_in_float32": int((full.accepted & ~half.accepted).sum()),
        "accepted_only_in_bfloat16": int((half.accepted & ~full.accepted).sum()),
        "wrong_and_accepted": [int((x.accepted & ~x.right).sum()) for x in (full, half)],
        "largest_change": float(np.abs(full.probabilities - half.probabilities).max()),
        "calibration_error": [calibration_error(x.confidence, x.right) for x in (full, half)],
    }


def table(found: dict[str, Any]) -> str:
    """Returns the comparison as a Markdown table."""
    rows = [_HEAD, ["---"] * len(_HEAD), *(_row(name, each) for name, each in found.items())]
    return markdown_rows(rows)


def _row(name: str, each: dict[str, Any]) -> list[str]:
    errors = " / ".join(f"{error:.4f}" for error in each["calibration_error"])
    wrong = " / ".join(map(str, each["wrong_and_accepted"]))
    return [
        name,
        *(str(each[key]) for key in _COUNTS),
        wrong,
        f"{each['largest_change']:.3f}",
        errors,
    ]
