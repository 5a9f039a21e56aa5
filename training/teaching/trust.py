"""Decides which answers of a taught version count as sure: no more wrong answers than before."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Photo
from training.evaluation.measures import Answers, measures, wrong_at_most
from training.export.calibration import CONFIDENCE, Calibration, Selection, softmax
from training.rehearsal.parts import Floats
from training.teaching.changes import Judged, judged

TEMPERATURE = 1.0
"""Of a taught version: its logits learn the calibrated probabilities of the version before."""


def calibrated(
    logits: Floats,
    labels: NDArray[np.str_],
    earlier: Judged,
    classes: list[str],
    calibration: Calibration,
) -> Calibration:
    """Returns a calibration that accepts no more wrong answers to old pictures than before.

    The threshold is the old version's, which was chosen on more pictures than these. A class with
    more wrong accepted answers than before gets a higher threshold: a new design draws similar
    pictures into its class, and the other classes should not become unsure for that.

    Args:
        logits: The taught version's logits of the pictures, float32 [N,C].
        labels: The right classes, str [N]; any answer to a label outside `classes` is wrong.
        earlier: The old version's answers to the pictures. For new photos, which it does not know,
            none of them counts as sure, so that no wrong answer is tolerated.
        classes: The C classes.
        calibration: The calibration of the old version.
    """
    probabilities = softmax(logits / TEMPERATURE)
    said, confidence = np.array(classes)[probabilities.argmax(1)], probabilities.max(1)
    tolerated = earlier.sure & (earlier.said != labels)
    stricter = dict(calibration.stricter)
    for name in classes:
        wrong = np.sort(confidence[(said == name) & (said != labels)])[::-1]
        beyond = wrong[int((tolerated & (earlier.said == name)).sum()) :]
        if len(beyond) and beyond[0] >= stricter.get(name, calibration.threshold):
            stricter[name] = _above(beyond[0])
    return calibration._replace(temperature=TEMPERATURE, stricter=stricter)


def _above(confidence: np.floating) -> float:
    """Returns the next float32 number, at most 1."""
    return float(min(np.nextafter(np.float32(confidence), np.float32(2)), np.float32(1)))


def counted(
    logits: Floats, labels: NDArray[np.str_], classes: list[str], calibration: Calibration
) -> Selection:
    """Counts the sure answers of N, and the wrong answers among them, for the model card."""
    now = judged(logits, classes, calibration)
    sure, wrong = int(now.sure.sum()), int((now.sure & (now.said != labels)).sum())
    bound = wrong_at_most(wrong, sure, CONFIDENCE)
    return Selection(calibration.threshold, bound, wrong, sure, len(labels))


def measured(
    logits: Floats, labels: NDArray[np.str_], classes: list[str], calibration: Calibration
) -> dict[str, Any]:
    """Returns the figures of held-out pictures, old and new, at the first look."""
    probabilities = softmax(logits / calibration.temperature)
    by_name = np.argsort(classes)
    answers = Answers(
        photos=[Photo(Path(), label, "") for label in labels.tolist()],
        said=[classes[place] for place in probabilities.argmax(1)],
        confidence=probabilities.max(1).astype(np.float32),
        accepted=judged(logits, classes, calibration).sure,
        probabilities=probabilities[:, by_name].astype(np.float32),
    )
    figures = measures(answers)
    del figures["risk_coverage"]
    return figures
