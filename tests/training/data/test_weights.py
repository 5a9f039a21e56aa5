"""The weight of each photo: in sampling, and in a macro average."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import save_bills
from training.data import dataset
from training.data.weights import macro_weights, sampling_weights


def test_classes_are_drawn_equally_and_a_large_source_does_not_drown_a_small_one(
    tmp_path: Path,
) -> None:
    save_bills(tmp_path, "1", *(f"large-{n}.jpg" for n in range(16)), "small-1.jpg")
    save_bills(tmp_path, "5", "any-1.jpg", "any-2.jpg")
    photos = dataset.scan(tmp_path, {}, [])
    odds = dict(zip(photos, sampling_weights(photos, {}, {}), strict=True))
    assert sum(odds.values()) == pytest.approx(1)
    assert sum(p for photo, p in odds.items() if photo.label == "1") == pytest.approx(0.5)
    large = sum(p for photo, p in odds.items() if photo.source == "large")
    small = sum(p for photo, p in odds.items() if photo.source == "small")
    assert large / small == pytest.approx(4)


def test_a_class_and_a_source_can_be_drawn_more_often(folder: Path) -> None:
    photos = dataset.scan(folder, {}, [])
    odds = sampling_weights(photos, {"5": 3.0}, {"a": 4.0})
    assert odds.sum() == pytest.approx(1)
    of_class, of_source = (
        np.array([p.label == "5" for p in photos]),
        np.array([p.source == "a" for p in photos]),
    )
    assert odds[of_class].sum() == pytest.approx(3 / 5)
    assert odds[of_class & of_source].sum() == pytest.approx(3 / 5 * 4 / 5)


def test_a_macro_average_counts_every_class_and_every_source_of_it_the_same(
    tmp_path: Path,
) -> None:
    save_bills(tmp_path, "1", *(f"large-{n}.jpg" for n in range(16)), "small-1.jpg")
    save_bills(tmp_path, "5", "any-1.jpg", "any-2.jpg")
    photos = dataset.scan(tmp_path, {}, [])
    weights = macro_weights(photos)
    assert weights.mean() == pytest.approx(1)
    counted = {
        (label, source): sum(
            weight / len(photos)
            for photo, weight in zip(photos, weights, strict=True)
            if (photo.label, photo.source) == (label, source)
        )
        for label, source in (("1", "large"), ("1", "small"), ("5", "any"))
    }
    assert counted == pytest.approx(
        {("1", "large"): 1 / 4, ("1", "small"): 1 / 4, ("5", "any"): 1 / 2}
    )
