"""The second look: runs the network again on the middle of pictures with an unsure answer.

A distant bill covers few of the 224 pixels. People hold a bill in the middle of the picture, and
the enlarged middle shows it at the size of most training views. If both looks agree, the answer
becomes surer; if they contradict each other, less sure. The first look has more weight, because it
sees the whole picture.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.export.calibration import negative_log_likelihood, softmax
from webapp.imaging.preprocessing import IMAGE_SIZE

_Floats = NDArray[np.floating]

MIDDLE = 0.6
"""The side of the middle that the second look sees, as a share of the picture's side."""

WEIGHT = 0.35
"""The weight of the second look; the first look has 1 - WEIGHT. Of 0.25, 0.35 and 0.5, this value
gave the lowest cross-entropy on the held-out photos of two runs."""

SURE = 0.99
"""Pictures with a higher probability do not gain from a second look."""

TOLERANCE = 0.01
"""By which share the cross-entropy may exceed the lowest one, to save second looks."""


def after_second_look(
    network: Callable[[tf.Tensor], tf.Tensor],
    image: tf.Tensor,
    logits: tf.Tensor,
    temperature: float,
    below: float,
) -> tf.Tensor:
    """Returns logits, float32 [N,C]; for unsure pictures, the weighted mean of both looks.

    Args:
        network: Maps uint8 [M,224,224,3] to logits, float32 [M,C].
        image: uint8 [N,224,224,3].
        logits: float32 [N,C], of the first look.
        temperature: The temperature of the first look.
        below: A picture gets a second look if its highest probability is below this; 0: none does.
    """
    confidence = tf.reduce_max(tf.nn.softmax(logits / temperature), axis=1)
    unsure = tf.where(confidence < below)[:, 0]

    def look_again() -> tf.Tensor:
        closer = network(_middle(tf.gather(image, unsure)))
        both = _weighed(tf.gather(logits, unsure), closer)
        return tf.tensor_scatter_nd_update(logits, unsure[:, None], both)

    # oneDNN's convolutions reject an empty batch, and other kernels would take time for it.
    return tf.cond(tf.size(unsure) > 0, look_again, lambda: logits)


def after_two_looks(
    network: Callable[[tf.Tensor], tf.Tensor], image: tf.Tensor, temperature: float, below: float
) -> tf.Tensor:
    """Returns the result of `after_second_look`, without a condition in the graph.

    All pictures get both looks, in one batch, and the second look counts where the first one is
    unsure. Other formats store a network inside a condition with a second copy of its weights.
    """
    first, closer = tf.split(network(tf.concat([image, _middle(image)], axis=0)), 2)
    confidence = tf.reduce_max(tf.nn.softmax(first / temperature), axis=1, keepdims=True)
    return tf.where(confidence < below, _weighed(first, closer), first)


def choose_below(first: _Floats, both: _Floats, labels: NDArray[np.integer]) -> float:
    """Returns the lowest `below` whose cross-entropy is within `TOLERANCE` of the lowest one.

    Args:
        first: float [N,C], logits of the first look, divided by the temperature.
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
    # An explicit cast: TensorFlow's resize would cast to float by itself, but converters do not.
    enlarged = tf.image.resize(tf.cast(cut, tf.float32), (IMAGE_SIZE, IMAGE_SIZE), "bilinear")
    return tf.cast(tf.floor(enlarged + 0.5), tf.uint8)
