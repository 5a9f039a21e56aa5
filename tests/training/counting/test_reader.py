"""The reader's training data: cut-out bills, and other places that a detector took for bills."""

import numpy as np

from training.counting import reader
from training.counting.detector.targets import Turned
from training.counting.scenes.stock import Stock
from training.data.dataset import OTHER

MIDDLE = Turned(np.array([0.5, 0.5]), np.array([0.4, 0.2]), 0.0)


def test_cut_outs_are_of_each_class_and_of_what_is_none(stock: Stock) -> None:
    pixels, names = reader.cut_outs(stock, lambda _: [MIDDLE] * 9, 60, np.random.default_rng(0))
    assert pixels.shape == (len(names), 224, 224, 3)
    assert len(names) >= 60
    assert set(names) == {"1", "5", "20", OTHER}


def test_where_no_bill_lies_the_places_that_deceive_a_detector_are_cut_out(stock: Stock) -> None:
    asked: list[np.ndarray] = []

    def deceived(picture: np.ndarray) -> list[Turned]:
        asked.append(picture)
        return [MIDDLE] * 9

    _, names = reader.cut_outs(stock, deceived, 60, np.random.default_rng(0))
    assert names.count(OTHER) == 3 * len(asked) > 0
    assert asked[0].shape == (448, 448, 3)


def test_a_picture_that_deceives_nobody_gives_one_place_all_the_same(stock: Stock) -> None:
    _, names = reader.cut_outs(stock, lambda _: [], 60, np.random.default_rng(0))
    assert 0 < names.count(OTHER) < 30
