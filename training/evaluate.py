"""Figures through the exported SavedModel: what a caller would get, not what Keras says."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training import dataset
from training.dataset import Photo
from training.slices import SLICES, Change
from webapp.preprocessing import IMAGE_SIZE

BATCH = 32


@dataclass(frozen=True)
class Answers:
    """What a version said of N photos.

    Attributes:
        labels: The right class of each.
        said: Its most likely class.
        confidence: float32 [N], the probability of that class.
        accepted: bool [N].
    """

    labels: list[str]
    said: list[str]
    confidence: NDArray[np.float32]
    accepted: NDArray[np.bool_]


class Version:
    """An exported version, asked through its signature `serving_default`."""

    def __init__(self, folder: Path) -> None:
        """Loads the version in `folder`, e.g. `models/us_bills/1`.

        Raises:
            FileNotFoundError: There is no SavedModel.
        """
        if not (folder / "saved_model.pb").is_file():
            raise FileNotFoundError(f"{folder} holds no SavedModel (saved_model.pb).")
        self.folder = folder
        self._loaded = tf.saved_model.load(str(folder))
        self._signature = self._loaded.signatures["serving_default"]

    def ask(self, photos: list[Photo], change: Change = SLICES["as it is"]) -> Answers:
        """Sends photos, each changed by `change`; those that cannot be read are left out."""
        readable, pixels = dataset.tensors(photos, change)
        replies = [self._reply(pixels[i : i + BATCH]) for i in range(0, len(pixels), BATCH)]
        classes, probabilities, accepted = map(np.concatenate, zip(*replies, strict=True))
        return Answers(
            labels=[photo.label for photo in readable],
            said=[name.decode() for name in classes[:, 0]],
            confidence=probabilities[:, 0],
            accepted=accepted,
        )

    def of_known_classes(self, photos: list[Photo]) -> list[Photo]:
        """Returns the photos of the model's classes and says which others there are.

        Raises:
            ValueError: No photo is of a class of the model's.
        """
        blank = np.zeros((1, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
        known = {name.decode() for name in self._reply(blank)[0][0]}
        kept = [photo for photo in photos if photo.label in known]
        foreign = dataset.counts(photo for photo in photos if photo.label not in known)
        advice = f"{self.folder} knows the classes {', '.join(sorted(known))} (see --relabel)."
        if not kept:
            raise ValueError(f"None of the photos can be judged: {foreign}. {advice}")
        if foreign:
            print(f"left out {foreign}: {advice}", file=sys.stderr)  # noqa: T201
        return kept

    def _reply(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
        outputs = self._signature(image=tf.constant(pixels))
        return tuple(outputs[name].numpy() for name in ("classes", "probabilities", "accepted"))


def evaluate(folder: Path, photos: list[Photo], *, slices: bool = False) -> dict[str, Any]:
    """Returns the figures of a version on photos, ready for JSON.

    Args:
        folder: The version, e.g. `models/us_bills/1`.
        photos: Photos of classes that the model has; others are left out.
        slices: Whether to add `slices`: the top-1 over the denominations under each of `SLICES`.

    Raises:
        FileNotFoundError: `folder` holds no SavedModel.
        ValueError: No photo is of a class of the model's.
    """
    version = Version(folder)
    photos = version.of_known_classes(photos)
    figures = measures(version.ask(photos))
    bills = [photo for photo in photos if photo.label != dataset.OTHER]
    if slices and bills:
        figures["slices"] = {
            name: measures(version.ask(bills, change))["top_1_denominations"]
            for name, change in SLICES.items()
        }
    return figures


def measures(answers: Answers) -> dict[str, Any]:
    """Returns the figures of a set of answers, ready for JSON.

    Shares are `{"share", "count", "of", "interval"}` with a 95 % Wilson interval.
    """
    labels, said = np.array(answers.labels), np.array(answers.said)
    right, accepted = labels == said, answers.accepted
    bill, claimed = labels != dataset.OTHER, said != dataset.OTHER
    return {
        "photos": len(labels),
        "top_1": share(right),
        "top_1_denominations": share(right[bill]),
        "bills_answered": share((accepted & right)[bill]),
        "bills_wrong_and_accepted": share((accepted & claimed & ~right)[bill]),
        "bills_surely_called_other": share((accepted & ~claimed)[bill]),
        "other_taken_for_money": share((accepted & claimed)[~bill]),
        "expected_calibration_error": calibration_error(answers.confidence, right),
        "confusion": confusion(answers.labels, answers.said),
    }


def share(hits: NDArray[np.bool_]) -> dict[str, Any]:
    """Returns how many of N were hits, with a 95 % Wilson interval; share None where N is 0."""
    count, of = int(hits.sum()), len(hits)
    return {
        "share": count / of if of else None,
        "count": count,
        "of": of,
        "interval": wilson(count, of),
    }


def wilson(count: int, of: int, z: float = 1.96) -> list[float]:
    """Returns the Wilson score interval of a proportion, [low, high].

    Source: E. B. Wilson, Probable Inference, JASA 22 (1927) 209-212.
    """
    if of == 0:
        return [0.0, 1.0]
    p, spread = count / of, z * z / of
    centre = (p + spread / 2) / (1 + spread)
    half = z * math.sqrt(p * (1 - p) / of + spread / (4 * of)) / (1 + spread)
    return [max(0.0, centre - half), min(1.0, centre + half)]


def calibration_error(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    """Returns the expected calibration error over 15 equal bins, in [0,1].

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2.
    """
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = [
        abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).sum()
        for b in np.unique(bins)
    ]
    return float(sum(gaps) / len(confidence))


def confusion(labels: Sequence[str], said: Sequence[str]) -> dict[str, dict[str, int]]:
    """Returns how often each class (outer key) was called what (inner key)."""
    pairs = list(zip(labels, said, strict=True))
    return {
        label: {
            name: pairs.count((label, name)) for name in sorted(set(said)) if (label, name) in pairs
        }
        for label in sorted(set(labels))
    }


def table(figures: dict[str, Any]) -> str:
    """Returns the figures as lines for a terminal."""
    lines = [f"{'photos':<28}{figures['photos']:>8}"]
    lines += [_line(name, value) for name, value in figures.items() if _is_share(value)]
    lines.append(f"{'expected_calibration_error':<28}{figures['expected_calibration_error']:>8.4f}")
    if "slices" in figures:
        lines += ["", "right denomination first, photos"]
        lines += [_line(name, value) for name, value in figures["slices"].items()]
    return "\n".join(lines)


def _is_share(value: Any) -> bool:
    return isinstance(value, dict) and value.get("share") is not None


def _line(name: str, value: dict[str, Any]) -> str:
    low, high = value["interval"]
    return (
        f"{name:<28}{value['share']:>8.4f}  {value['count']} of {value['of']},"
        f" 95 % interval {low:.3f} to {high:.3f}"
    )


def save(figures: dict[str, Any], path: Path) -> None:
    """Writes the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
