"""The detector: the classifier's backbone down to 1/16 of the side, and a map at 1/8 of it."""

from typing import Any

import keras
import tensorflow as tf

from training.counting.detector.boxes import boxes
from training.counting.detector.targets import CHANNELS
from training.network import backbones

BACKBONE = "efficientnet_lite0"
_FINE, _COARSE = "blocks.4.add", "blocks.10.add"
_FILTERS = 96
_FIRST_TRAINED = "blocks.3"
_RARE = -4.0
"""The initial bias of the heat, which is low because most cells hold no centre."""


def build(weights: str) -> keras.Model:
    """Returns a model from uint8 or float [N,224,224,3] to a map [N,28,28,7], see `targets`.

    Args:
        weights: `imagenet`, `none` or the folder of a version of the classifier.
    """
    backbone = backbones.build(BACKBONE, weights)
    _freeze(backbone)
    fine, coarse = (backbone.get_layer(name).output for name in (_FINE, _COARSE))
    x = keras.layers.UpSampling2D(name="up")(_conv(coarse, "coarse", kernel=1))
    x = keras.layers.Add(name="both")([x, _conv(fine, "fine", kernel=1)])
    for number in range(3):
        x = keras.layers.DepthwiseConv2D(5, padding="same", use_bias=False, name=f"wide{number}")(x)
        x = _conv(x, f"mixed{number}", kernel=1)
    out = keras.layers.Conv2D(CHANNELS, 1, name="map", bias_initializer=_bias)(x)
    pixels = keras.layers.Rescaling(1 / 255, name="to_unit")
    image = keras.Input(backbone.input_shape[1:], name="image")
    whole = keras.Model(backbone.input, out)
    return keras.Model(image, whole(pixels(image)), name="detector")


def _freeze(backbone: keras.Model) -> None:
    """Freezes the first layers, which find edges and strokes, with the classifier's weights."""
    trained = False
    for layer in backbone.layers:
        trained = trained or layer.name.startswith(_FIRST_TRAINED)
        layer.trainable = trained


def _conv(x: Any, name: str, *, kernel: int) -> Any:
    x = keras.layers.Conv2D(_FILTERS, kernel, padding="same", use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.98, name=f"{name}.bn")(x)
    return keras.layers.ReLU(6.0, name=f"{name}.relu6")(x)


def _bias(shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
    return tf.constant([_RARE] + [0.0] * (shape[0] - 1), dtype)


def loss(wanted: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
    """Returns the loss of each scene, float32 [N].

    Args:
        wanted: float32 [N,28,28,9]: the target and the two weights of `targets.target`.
        found: float32 [N,28,28,7].
    """
    counted_heat, counted_rest = wanted[..., CHANNELS], wanted[..., CHANNELS + 1 :]
    axes = [1, 2]
    bills = tf.maximum(tf.reduce_sum(tf.cast(wanted[..., 0] >= 1, tf.float32), axes), 1)
    heat = tf.reduce_sum(_focal(wanted[..., 0], found[..., 0]) * counted_heat, axes) / bills
    away = tf.abs(wanted[..., 1:CHANNELS] - found[..., 1:]) * tf.constant(_EACH)
    rest = tf.reduce_sum(away * counted_rest, [1, 2, 3])
    return heat + rest / tf.maximum(tf.reduce_sum(counted_rest, [1, 2, 3]), 1)


_EACH = [0.5, 0.5, 1.0, 1.0, 1.0, 1.0]


def _focal(wanted: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns CenterNet's penalty-reduced focal loss (equation 1; alpha 2, beta 4), [N,28,28]."""
    p = tf.sigmoid(logits)
    here = -tf.math.log_sigmoid(logits) * (1 - p) ** 2
    elsewhere = -tf.math.log_sigmoid(-logits) * p**2 * (1 - wanted) ** 4
    return tf.where(wanted >= 1, here, elsewhere)


def count(found: tf.Tensor) -> tf.Tensor:
    """Returns the number of bills in each map of float32 [N,28,28,7], as int32 [N]."""
    return tf.reduce_sum(tf.cast(boxes(tf.convert_to_tensor(found)).heat > 0.5, tf.int32), 1)
