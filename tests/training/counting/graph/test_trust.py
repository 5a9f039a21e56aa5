"""The trust in a list depends on its least sure bill, possibly missed bills, and their layout."""

import numpy as np
import pytest
import tensorflow as tf

from training.counting.detector.boxes import PLACES, Boxes
from training.counting.graph.trust import Reading, fitted, probability, signs

PLACE, NAME, MEAN, BOTH, NUMBER, SEVERAL, NEAR, SHAPE, HEIGHT, MISSED, NONE = range(11)


def boxes(*bills: tuple[float, float, float], height: float = 0.2, wide: float = 2.35) -> Boxes:
    """Level candidates (heat, x, y), of a height in shares of the square."""
    heat, centre, along, across = (
        np.zeros((1, PLACES, *rest), np.float32) for rest in ((), *[(2,)] * 3)
    )
    for number, (hot, x, y) in enumerate(bills):
        heat[0, number], centre[0, number] = hot, (x, y)
        along[0, number], across[0, number] = (wide * height / 2, 0), (0, height / 2)
    return Boxes(*map(tf.constant, (heat, centre, along, across)))


def read(*probabilities: float) -> tf.Tensor:
    """Each candidate is money of the first class with a probability."""
    given = np.zeros((1, PLACES, 2), np.float32)
    given[0, : len(probabilities), 0] = probabilities
    return tf.constant(given)


def told(found: Boxes, probabilities: tf.Tensor) -> np.ndarray:
    looked = tf.reduce_sum(probabilities, -1) > 0
    return np.asarray(signs(Reading(found, probabilities, looked), believed=0.3)[0])


def test_a_bill_is_counted_where_place_and_class_together_are_likely() -> None:
    found = boxes((0.9, 0.3, 0.3), (0.9, 0.7, 0.7), (0.2, 0.5, 0.5))
    money = read(0.9, 0.1, 0.9)
    reading = Reading(found, money, money[..., 0] > 0)
    assert reading.counted(0.3).numpy()[0, :3].tolist() == [True, False, False]
    assert reading.counted(0.1).numpy()[0, :3].tolist() == [True, False, True]


def test_the_least_sure_place_and_class_count() -> None:
    sure = told(boxes((0.9, 0.3, 0.3), (0.9, 0.7, 0.7)), read(0.95, 0.95))
    doubtful = told(boxes((0.9, 0.3, 0.3), (0.6, 0.7, 0.7)), read(0.95, 0.7))
    assert doubtful[PLACE] == pytest.approx(np.log(0.6 / 0.4), rel=1e-4)
    assert doubtful[NAME] == pytest.approx(np.log(0.7 / 0.3), rel=1e-4)
    assert doubtful[MEAN] < sure[MEAN]


def test_a_place_that_was_not_read_may_hide_a_bill() -> None:
    alone = told(boxes((0.9, 0.3, 0.3)), read(0.95))
    beside = told(boxes((0.9, 0.3, 0.3), (0.2, 0.7, 0.7)), read(0.95))
    no_money = told(boxes((0.9, 0.3, 0.3), (0.9, 0.7, 0.7)), read(0.95, 0.1))
    assert beside[MISSED] < no_money[MISSED] < alone[MISSED]


def test_how_many_there_are_and_how_they_lie_is_told() -> None:
    one = told(boxes((0.9, 0.3, 0.3)), read(0.9))
    near = told(boxes((0.9, 0.3, 0.3), (0.9, 0.3, 0.35)), read(0.9, 0.9))
    far = told(boxes((0.9, 0.3, 0.3), (0.9, 0.9, 0.9)), read(0.9, 0.9))
    assert (one[SEVERAL], near[SEVERAL], near[NUMBER]) == (0, 1, pytest.approx(2 / PLACES))
    assert near[NEAR] > far[NEAR] > one[NEAR] == 0


def test_a_strip_is_told_from_a_whole_bill() -> None:
    whole, strip = (told(boxes((0.9, 0.5, 0.5), wide=w), read(0.9)) for w in (2.35, 8))
    assert whole[SHAPE] == pytest.approx(0, abs=0.01)
    assert strip[SHAPE] == pytest.approx(np.log(8 / 2.35), rel=0.01)


def test_an_empty_list_is_told_by_what_may_be_missed_alone() -> None:
    empty, doubtful = told(boxes(), read()), told(boxes((0.25, 0.5, 0.5)), read(0.9))
    assert np.isfinite(empty).all()
    assert (empty[NONE], empty[PLACE], empty[NAME], empty[MEAN]) == (1, 0, 0, 0)
    assert doubtful[NONE] == 1
    assert doubtful[MISSED] < empty[MISSED]


def test_the_weights_are_those_that_made_right_and_wrong() -> None:
    rng = np.random.default_rng(0)
    given = np.c_[rng.normal(5, 3, 4000), rng.normal(0, 0.01, 4000), np.ones(4000)]
    right = rng.random(4000) < 1 / (1 + np.exp(-(given @ [0.5, 80, -2])))
    weights = fitted(given, right)
    assert weights == pytest.approx([0.5, 80, -2], rel=0.25)
    sure = probability(tf.constant(given, tf.float32), weights).numpy()
    assert sure[sure > 0.9].size > 100
    assert right[sure > 0.9].mean() > 0.9
