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


def ask(version: Path, photos: list[Photo]) -> Answers:
    """Sends photos through `serving_default` of a version.

    Unreadable photos are left out, and those of classes that the model does not have.

    Raises:
        FileNotFoundError: `version` holds no SavedModel.
        ValueError: No photo is of a class of the model's.
    """
    if not (version / "saved_model.pb").is_file():
        raise FileNotFoundError(f"{version} holds no SavedModel (saved_model.pb).")
    loaded = tf.saved_model.load(str(version))
    signature = loaded.signatures["serving_default"]
    readable, pixels = dataset.tensors(_of_known_classes(version, signature, photos))
    replies = [_reply(signature, pixels[i : i + BATCH]) for i in range(0, len(pixels), BATCH)]
    classes, probabilities, accepted = (np.concatenate(part) for part in zip(*replies, strict=True))
    return Answers(
        labels=[photo.label for photo in readable],
        said=[name.decode() for name in classes[:, 0]],
        confidence=probabilities[:, 0],
        accepted=accepted,
    )


def _reply(signature: Any, pixels: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
    outputs = signature(image=tf.constant(pixels))
    return tuple(outputs[name].numpy() for name in ("classes", "probabilities", "accepted"))


def _of_known_classes(version: Path, signature: Any, photos: list[Photo]) -> list[Photo]:
    blank = np.zeros((1, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    known = {name.decode() for name in _reply(signature, blank)[0][0]}
    kept = [photo for photo in photos if photo.label in known]
    foreign = dataset.counts(photo for photo in photos if photo.label not in known)
    advice = f"{version} knows the classes {', '.join(sorted(known))} (see --relabel)."
    if not kept:
        raise ValueError(f"None of the photos can be judged: {foreign}. {advice}")
    if foreign:
        print(f"left out {foreign}: {advice}", file=sys.stderr)  # noqa: T201
    return kept


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
    for name, value in figures.items():
        if isinstance(value, dict) and "interval" in value and value["share"] is not None:
            low, high = value["interval"]
            lines.append(
                f"{name:<28}{value['share']:>8.4f}  {value['count']} of {value['of']},"
                f" 95 % interval {low:.3f} to {high:.3f}"
            )
    lines.append(f"{'expected_calibration_error':<28}{figures['expected_calibration_error']:>8.4f}")
    return "\n".join(lines)


def save(figures: dict[str, Any], path: Path) -> None:
    """Writes the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
