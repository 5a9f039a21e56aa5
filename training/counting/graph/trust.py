"""The probability that a picture's whole list of bills is right, calibrated on scenes."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.augmentation.augment import BILL_ASPECT
from training.counting.detector.boxes import PLACES, Boxes

_RIDGE = 1e-2
_STEPS = 50
_LEAST = 0.05
"""Probabilities are clipped to this distance from 0 and 1, so that no sign outweighs the others."""

_Floats = NDArray[np.float64]


class Trust(NamedTuple):
    """The calibration of the answers.

    Attributes:
        temperature: The reader's logits are divided by it before the softmax.
        believed: The lowest probability, of place and class together, at which a bill is counted.
        weights: The weights of `signs`, the last one for a constant: the log-odds that a list is
            right are the weighted sum of its signs.
        threshold: A list is accepted if it is right with at least this probability.
    """

    temperature: float
    believed: float
    weights: list[float]
    threshold: float


class Reading(NamedTuple):
    """The candidates in N pictures, and the classes read from them.

    Attributes:
        boxes: The positions of the candidates.
        money: The probability of each class of money, without `Other`, float32 [N,16,C-1]; 0 for a
            candidate that was not read.
        looked: Which candidates were read, bool [N,16]; the others may be money too.
    """

    boxes: Boxes
    money: tf.Tensor
    looked: tf.Tensor

    def counted(self, believed: float) -> tf.Tensor:
        """Returns which candidates are counted as bills, bool [N,16]."""
        return self.boxes.heat * tf.reduce_sum(self.money, -1) >= believed


def signs(reading: Reading, believed: float) -> tf.Tensor:
    """Returns the features that indicate whether a list is right, float32 [N,13].

    In this order, of the bills that are counted: the log-odds of the least sure place, of the least
    sure class, and of the mean place; the least probability of place and class together; their
    number; whether there are several; how near two of them lie; how far the shape of one is from
    that of a whole bill; the logarithm of the smallest height. Then the negative log-odds of the
    likeliest bill that is not counted; whether none is counted; the product of both; and 1.
    """
    found, is_bill = reading.boxes, reading.counted(believed)
    best = tf.reduce_max(reading.money, -1)
    money = tf.where(reading.looked, tf.reduce_sum(reading.money, -1), 1.0)
    number = tf.reduce_sum(tf.cast(is_bill, tf.float32), 1)
    none = tf.cast(number < 1, tf.float32)
    mean = tf.reduce_sum(tf.where(is_bill, found.heat, 0.0), 1) / tf.maximum(number, 1)
    missed = -_log_odds(tf.reduce_max(tf.where(is_bill, 0.0, found.heat * money), 1))
    width, height = (2 * tf.maximum(tf.norm(side, axis=-1), 1e-3) for side in found[2:])
    shape = tf.abs(tf.math.log(width / height / BILL_ASPECT))
    told = [
        (1 - none) * _log_odds(_least(is_bill, found.heat, 1.0)),
        (1 - none) * _log_odds(_least(is_bill, best, 1.0)),
        (1 - none) * _log_odds(mean),
        _least(is_bill, found.heat * best, 1.0),
        number / PLACES,
        tf.cast(number > 1, tf.float32),
        _nearness(found, is_bill),
        -_least(is_bill, -shape, 0.0),
        tf.math.log(_least(is_bill, height, 1.0)),
        missed,
        none,
        none * missed,
        tf.ones_like(number),
    ]
    return tf.stack(told, 1)


def _least(is_bill: tf.Tensor, values: tf.Tensor, without: float) -> tf.Tensor:
    """Returns the least value of the bills that are counted, float32 [N].

    Args:
        is_bill: Which candidates are counted, bool [N,16].
        values: float32 [N,16].
        without: An upper bound of all values, which is returned if there are no bills.
    """
    return tf.reduce_min(tf.where(is_bill, values, without), 1)


def probability(signs: tf.Tensor, weights: list[float]) -> tf.Tensor:
    """Returns the probability that each list is right, float32 [N]."""
    return tf.sigmoid(tf.linalg.matvec(signs, tf.constant(weights, tf.float32)))


def fitted(signs: _Floats, right: NDArray[np.bool_]) -> list[float]:
    """Returns the weights of a logistic regression, by Newton's method.

    A ridge, on the signs divided by their deviations, keeps the weights of a few scenes small.

    Source: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, section 4.4.1.

    Args:
        signs: float [N,F], the last column being 1.
        right: bool [N].
    """
    scale = np.append(signs[:, :-1].std(0) + 1e-6, 1.0)
    signs = signs / scale
    weights = np.zeros(signs.shape[1])
    ridge = _RIDGE * len(signs) * np.diag([1.0] * (len(weights) - 1) + [0.0])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(signs @ weights, -30, 30)))
        slope = signs.T @ (right - p) - ridge @ weights
        curve = (signs * (p * (1 - p))[:, None]).T @ signs + ridge + 1e-9 * np.eye(len(weights))
        weights = weights + np.linalg.solve(curve, slope)
    return [float(weight) for weight in weights / scale]


def _log_odds(share: tf.Tensor) -> tf.Tensor:
    within = tf.clip_by_value(share, _LEAST, 1 - _LEAST)
    return tf.math.log(within) - tf.math.log1p(-within)


def _nearness(found: Boxes, is_bill: tf.Tensor) -> tf.Tensor:
    """Returns how near the nearest two bills are for their size, from 0 (far) to 1 (the same)."""
    apart = tf.norm(found.centre[:, :, None] - found.centre[:, None], axis=-1)
    size = tf.norm(found.across, axis=-1)
    near = tf.exp(-apart / tf.maximum(size[:, :, None] + size[:, None], 1e-3))
    both = is_bill[:, :, None] & is_bill[:, None] & ~tf.eye(PLACES, dtype=tf.bool)
    return tf.reduce_max(tf.where(both, near, 0.0), [1, 2])
