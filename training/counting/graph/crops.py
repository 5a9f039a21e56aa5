"""Cuts candidates out of a picture, turned upright or upside down, for the classifier."""

import tensorflow as tf

from webapp.imaging.preprocessing import COUNT_SIZE, IMAGE_SIZE

MARGIN = 1.04
"""How much larger than the box the cut-out is: the edges show where a bill ends."""


def cut_out(
    image: tf.Tensor, of: tf.Tensor, centre: tf.Tensor, along: tf.Tensor, across: tf.Tensor
) -> tf.Tensor:
    """Returns each candidate stretched to the classifier's square, uint8 [M,224,224,3].

    Args:
        image: uint8 [N,448,448,3].
        of: int32 [M]: the index of each candidate's picture.
        centre: float32 [M,2], in shares of the square.
        along: float32 [M,2]: half the width, as a vector.
        across: float32 [M,2]: half the height, as a vector.
    """
    x, y = (MARGIN * side * 2 * COUNT_SIZE / IMAGE_SIZE for side in (along, across))
    start = centre * COUNT_SIZE - (x + y) * IMAGE_SIZE / 2
    zero = tf.zeros_like(start[:, :1])
    # Output pixel (u, v) is input pixel start + u x + v y.
    affine = [x[:, :1], y[:, :1], start[:, :1], x[:, 1:], y[:, 1:], start[:, 1:], zero, zero]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.gather(image, of),
        transforms=tf.concat(affine, 1),
        output_shape=tf.constant([IMAGE_SIZE, IMAGE_SIZE]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
