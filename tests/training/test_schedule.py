"""The learning rate rises from a twentieth of its peak, and falls to zero at the last step."""

import pytest

from training.schedule import warmed_cosine


def test_the_rate_peaks_after_a_twentieth_of_the_steps_and_ends_at_nothing() -> None:
    rate = warmed_cosine(0.4, 1_000)
    assert float(rate(0)) == pytest.approx(0.02)
    assert float(rate(50)) == pytest.approx(0.4)
    assert float(rate(525)) == pytest.approx(0.2, abs=1e-3)
    assert float(rate(1_000)) == pytest.approx(0.0, abs=1e-6)


def test_a_training_too_short_to_warm_up_begins_at_the_peak() -> None:
    assert float(warmed_cosine(0.4, 10)(0)) == pytest.approx(0.4)
