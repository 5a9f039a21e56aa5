"""How readily a taught version says the classes it was taught, and which answers count as sure."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.evaluation.measures import wrong_at_most
from training.export.calibration import CONFIDENCE, Calibration, Selection, softmax
from training.export.second_look import SURE
from training.rehearsal.parts import Floats
from training.teaching.changes import Judged, judged

RESTRAINTS = np.linspace(0, 2, 21)
"""The steps of `restraint`, in nats."""
TEMPERATURE = 1.0
"""It learns to say at this temperature what the version before says at its own."""


def restraint(
    logits: Floats, places: list[int], is_kept: Callable[[NDArray[np.str_]], bool], names: list[str]
) -> float:
    """Returns what the logits of the taught classes are to be less, so that the others are kept.

    In each batch the new design is shown far more often than it will be asked about, so its classes
    are said too readily (Saerens et al., Adjusting the Outputs of a Classifier to New a Priori
    Probabilities, Neural Computation 14, 2002). How often it will be asked about nobody knows: the
    least step is taken that is enough.

    Args:
        logits: What the taught version makes of the held-out pictures, float32 [N,C].
        places: The places of the taught classes among the C.
        is_kept: Whether these N answers, str [N], keep the other classes.
        names: The C classes.

    Returns:
        One of `RESTRAINTS`; 0 where none is enough.
    """
    less = np.isin(np.arange(logits.shape[1]), places)
    for step in RESTRAINTS:
        if is_kept(np.array(names)[(logits - step * less).argmax(1)]):
            return float(step)
    return 0.0


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
    Where the version before looks twice at all, every picture that could gain by it gets a second
    look: what was taught by a few photos is often recognised only then.

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
    below = calibration.second_look_below and SURE
    return calibration._replace(temperature=TEMPERATURE, second_look_below=below, stricter=stricter)


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
