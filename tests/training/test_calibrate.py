"""Temperature and threshold, on logits whose right answers are known."""

import numpy as np
import pytest

from training import calibrate


def overconfident_logits(factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits `factor` times too large for labels drawn from their true probabilities."""
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (4000, 7))
    labels = np.array([rng.choice(7, p=p) for p in calibrate.softmax(honest)])
    return honest * factor, labels


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_over_and_under_confidence(factor: float) -> None:
    logits, labels = overconfident_logits(factor)
    assert calibrate.best_temperature(logits, labels) == pytest.approx(factor, rel=0.08)


def test_the_threshold_is_the_least_that_keeps_the_risk() -> None:
    confidence = np.array([0.99, 0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.array([True, True, True, False, True, False])
    assert calibrate.threshold_for(confidence, right, risk=0.0) == 0.8
    assert calibrate.threshold_for(confidence, right, risk=0.2) == 0.6
    assert calibrate.threshold_for(confidence, right, risk=1.0) == 0.5


def test_where_no_threshold_keeps_the_risk_nothing_is_accepted() -> None:
    assert calibrate.threshold_for(np.array([0.9, 0.8]), np.array([False, True]), 0.1) == 1.0


def test_on_new_pictures_the_risk_holds_about() -> None:
    logits, labels = overconfident_logits(2.0)
    found = calibrate.calibrate(logits[:2000], labels[:2000], risk=0.2)
    probabilities = calibrate.softmax(logits[2000:] / found.temperature)
    accepted = probabilities.max(1) >= found.threshold
    wrong = (probabilities.argmax(1) != labels[2000:])[accepted]
    assert accepted.mean() > 0.2
    assert wrong.mean() == pytest.approx(0.2, abs=0.04)
