"""A second, closer look at the pictures that the first look left unsure.

A bill far away has few of the 224 pixels. People hold what they ask about in the middle, and the
middle alone, enlarged, shows that bill at the size of most training views. Where both looks agree
the answer becomes surer, where they contradict each other less sure. The first counts more, since
it saw all there is.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.export.calibration import negative_log_likelihood, softmax
from webapp.imaging.preprocessing import IMAGE_SIZE

_Floats = NDArray[np.floating]

MIDDLE = 0.6
"""The side of what the second look sees over that of the picture."""

WEIGHT = 0.35
"""The weight of the second look, that of the first being 1 less it: of 0.25, 0.35 and 0.5 the one
that gave the held-out photos of two runs the lowest cross-entropy."""

SURE = 0.99
"""No picture of a higher probability gains by a second look."""

TOLERANCE = 0.01
"""By how much the cross-entropy may be above the least one, for fewer second looks."""


def after_second_look(
    network: Callable[[tf.Tensor], tf.Tensor],
    image: tf.Tensor,
    logits: tf.Tensor,
    temperature: float,
    below: float,
) -> tf.Tensor:
    """Returns float32 [N,C] logits, those of unsure pictures the weighted mean of both looks.

    Args:
        network: From uint8 [M,224,224,3] to logits, float32 [M,C].
        image: uint8 [N,224,224,3].
        logits: float32 [N,C], of the first look.
        temperature: The calibration of the first look.
        below: A picture is looked at again if its highest probability is below it; 0: none is.
    """
    confidence = tf.reduce_max(tf.nn.softmax(logits / temperature), axis=1)
    unsure = tf.where(confidence < below)[:, 0]

    def look_again() -> tf.Tensor:
        closer = network(_middle(tf.gather(image, unsure)))
        both = _weighed(tf.gather(logits, unsure), closer)
        return tf.tensor_scatter_nd_update(logits, unsure[:, None], both)

    # A batch of none is refused by oneDNN's convolutions, and would take its time elsewhere.
    return tf.cond(tf.size(unsure) > 0, look_again, lambda: logits)


def after_two_looks(
    network: Callable[[tf.Tensor], tf.Tensor], image: tf.Tensor, temperature: float, below: float
) -> tf.Tensor:
    """Returns what `after_second_look` returns, with no condition in the graph.

    All pictures are looked at twice, in one batch, and the second look is used where the first one
    is unsure. Other formats keep a network inside a condition as a second copy of its weights.
    """
    first, closer = tf.split(network(tf.concat([image, _middle(image)], axis=0)), 2)
    confidence = tf.reduce_max(tf.nn.softmax(first / temperature), axis=1, keepdims=True)
    return tf.where(confidence < below, _weighed(first, closer), first)


def choose_below(first: _Floats, both: _Floats, labels: NDArray[np.integer]) -> float:
    """Returns the least `below` that gains as much as looking again at all that is not `SURE`.

    Args:
        first: float [N,C], logits of the first look over the temperature.
        both: float [N,C], the same after a second look at each picture below `SURE`.
        labels: int [N].
    """
    confidence = softmax(first).max(1)
    candidates = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, SURE)
    losses = [
        negative_log_likelihood(np.where((confidence < below)[:, None], both, first), labels)
        for below in candidates
    ]
    enough = np.flatnonzero(np.array(losses) <= min(losses) * (1 + TOLERANCE))
    return candidates[int(enough[0])]


def _weighed(first: tf.Tensor, closer: tf.Tensor) -> tf.Tensor:
    return (1 - WEIGHT) * first + WEIGHT * closer


def _middle(image: tf.Tensor) -> tf.Tensor:
    margin = round(IMAGE_SIZE * (1 - MIDDLE) / 2)
    cut = image[:, margin : IMAGE_SIZE - margin, margin : IMAGE_SIZE - margin]
    # A cast to float that TensorFlow's resize makes by itself, and converters do not.
    enlarged = tf.image.resize(tf.cast(cut, tf.float32), (IMAGE_SIZE, IMAGE_SIZE), "bilinear")
    return tf.cast(tf.floor(enlarged + 0.5), tf.uint8)
