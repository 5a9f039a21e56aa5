"""Temperature and threshold, on logits whose right answers are known."""

import numpy as np
import pytest

from training.export import calibration


def overconfident_logits(factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits `factor` times too large for labels drawn from their true probabilities."""
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (4000, 7))
    labels = np.array([rng.choice(7, p=p) for p in calibration.softmax(honest)])
    return honest * factor, labels


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_over_and_under_confidence(factor: float) -> None:
    logits, labels = overconfident_logits(factor)
    assert calibration.best_temperature(logits, labels) == pytest.approx(factor, rel=0.08)


def test_the_threshold_is_the_least_whose_risk_is_shown_to_be_kept() -> None:
    confidence = np.linspace(1, 0, 2000)
    right = np.ones(2000, bool)
    right[1600:] = False
    found = calibration.select(confidence, right, risk=0.01)
    assert found.threshold == confidence[1599]
    assert (found.wrong, found.accepted, found.of) == (0, 1600, 2000)
    assert found.at_most <= 0.01
    # Of 1,700 answers 100 are wrong, which is 6 %: with chance on top more than that is not shown.
    assert calibration.select(confidence, right, risk=0.1).accepted == 1700


def test_a_risk_that_can_be_shown_is_kept() -> None:
    confidence = np.linspace(1, 0, 2000)
    right = np.ones(2000, bool)
    right[1950] = False
    found = calibration.select(confidence, right, risk=0.0045)
    assert (found.wrong, found.accepted) == (0, 1900)
    # All 2,000 answers have a bound of 0.005, less than 1.5 times the best one.
    assert calibration.select(confidence, right, risk=0.001).accepted == 2000


def test_pictures_of_one_confidence_are_accepted_and_counted_together() -> None:
    confidence = np.concatenate([np.ones(500), np.linspace(0.9, 0.1, 500)])
    number = np.arange(1000)
    for right in (number < 475, (number >= 25) & (number < 500)):
        found = calibration.select(confidence, right, risk=0.04)
        assert (found.threshold, found.wrong, found.accepted) == (1.0, 25, 500)
        assert found.at_most > 0.05


def test_where_the_photos_are_too_few_the_least_bound_is_told() -> None:
    found = calibration.select(np.linspace(1, 0, 20), np.ones(20, bool), risk=0.01)
    assert (found.wrong, found.accepted) == (0, 20)
    assert 0.2 < found.at_most < 0.35


def test_the_bound_holds_on_new_pictures_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    broken = 0
    for _ in range(300):
        confidence = rng.random(400)
        found = calibration.select(confidence, rng.random(400) < confidence, risk=0.1)
        # Answers of a confidence c are right with the probability c.
        broken += (1 - found.threshold) / 2 > found.at_most
    assert broken <= 3


def test_a_class_may_need_more_than_the_threshold() -> None:
    card = {"temperature": 1.0, "threshold": 0.9, "second_look_below": 0.5}
    plain, stricter = (
        calibration.Calibration.of(each) for each in (card, card | {"stricter": {"10": 0.97}})
    )
    assert plain.thresholds(["5", "10"]).tolist() == pytest.approx([0.9, 0.9])
    assert stricter.thresholds(["5", "10"]).tolist() == pytest.approx([0.9, 0.97])
