"""A taught version gives no more answers that are both wrong and sure than the version before."""

import numpy as np
import pytest

from training.export.calibration import Calibration
from training.teaching.changes import Judged, judged
from training.teaching.trust import calibrated, counted

CLASSES = ["5", "10", "Other"]
BEFORE = Calibration(0.7, 0.9, 0.8)


def logits(*said: tuple[str, float]) -> np.ndarray:
    """Logits of which each says a class with a probability, and the others share the rest."""
    rows = np.array([[np.log((1 - p) / 2)] * 3 for _, p in said], np.float32)
    for row, (name, p) in zip(rows, said, strict=True):
        row[CLASSES.index(name)] = np.log(p)
    return rows


def earlier(*said: tuple[str, bool]) -> Judged:
    return Judged(np.array([name for name, _ in said]), np.array([sure for _, sure in said]))


def test_a_class_that_is_said_wrongly_and_surely_becomes_stricter_and_no_other() -> None:
    after = logits(("5", 0.95), ("10", 0.97), ("10", 0.99), ("Other", 0.95))
    labels = np.array(["5", "Other", "10", "Other"])
    before = earlier(("5", True), ("Other", True), ("10", True), ("Other", True))
    found = calibrated(after, labels, before, CLASSES, BEFORE)
    assert (found.temperature, found.threshold, found.second_look_below) == (1.0, 0.9, 0.8)
    assert found.stricter == {"10": pytest.approx(0.97, abs=1e-5)}
    assert judged(after, CLASSES, found).sure.tolist() == [True, False, True, True]


def test_what_was_wrong_and_sure_before_is_tolerated_as_often() -> None:
    after = logits(("10", 0.99), ("10", 0.95), ("10", 0.93))
    labels = np.array(["Other", "5", ""])
    before = earlier(("10", True), ("10", False), ("5", True))
    found = calibrated(after, labels, before, CLASSES, BEFORE)
    assert judged(after, CLASSES, found).sure.tolist() == [True, False, False]


def test_a_class_that_was_stricter_stays_so() -> None:
    before = BEFORE._replace(stricter={"10": 0.97})
    after, labels = logits(("10", 0.95), ("5", 0.5)), np.array(["Other", "5"])
    found = calibrated(after, labels, earlier(("10", False), ("5", False)), CLASSES, before)
    assert found.stricter == {"10": 0.97}


def test_even_a_wrong_answer_of_probability_one_leaves_a_threshold_that_can_be_reached() -> None:
    after = logits(("10", 1 - 1e-9))
    found = calibrated(after, np.array(["5"]), earlier(("5", False)), CLASSES, BEFORE)
    assert found.stricter["10"] == 1.0


def test_sure_answers_and_wrong_ones_among_them_are_counted() -> None:
    after = logits(("5", 0.95), ("10", 0.95), ("10", 0.6))
    labels = np.array(["5", "Other", "10"])
    found = counted(after, labels, CLASSES, BEFORE._replace(temperature=1.0))
    assert (found.wrong, found.accepted, found.of) == (1, 2, 3)
