"""Which answers of a taught version count as sure: no more wrong ones than before."""

import numpy as np
from numpy.typing import NDArray

from training.evaluation.measures import wrong_at_most
from training.export.calibration import CONFIDENCE, Calibration, Selection, softmax
from training.rehearsal.parts import Floats
from training.teaching.changes import Judged, judged

TEMPERATURE = 1.0
"""It learns to say at this temperature what the version before says at its own."""


def calibrated(
    logits: Floats,
    labels: NDArray[np.str_],
    earlier: Judged,
    classes: list[str],
    calibration: Calibration,
) -> Calibration:
    """Returns a calibration by which old pictures get no more wrong and sure answers than before.

    The threshold is that of the version before, which was chosen on more pictures than are here. A
    class that is said wrongly and surely more often than before is stricter: a new design draws
    what looks like it into its class, and the other classes should not become unsure for that.

    Args:
        logits: What the taught version makes of the pictures, float32 [N,C].
        labels: The right classes, str [N]; what is none of `classes` counts as wrong.
        earlier: What the version before says to them. Where it may not be wrong at all, as for new
            photos, which it does not know, nothing of it counts as sure.
        classes: The C classes.
        calibration: That of the version before.
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
    """Returns how many of N answers are sure, and how many of those wrong, for the model card."""
    now = judged(logits, classes, calibration)
    sure, wrong = int(now.sure.sum()), int((now.sure & (now.said != labels)).sum())
    bound = wrong_at_most(wrong, sure, CONFIDENCE)
    return Selection(calibration.threshold, bound, wrong, sure, len(labels))
