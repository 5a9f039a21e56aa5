"""Assertions on the inputs of each signature, before the rest of its graph uses them.

TensorFlow Serving does not compare a tensor with the shape that a signature declares, and kernels
end the process when a tensor has fewer dimensions than they were built for.
"""

import tensorflow as tf

from webapp.imaging.preprocessing import IMAGE_SIZE

LARGEST_BATCH = 64
"""The most pictures in one request."""

IMAGE_SHAPE = (None, IMAGE_SIZE, IMAGE_SIZE, 3)


def guarded_image(image: tf.Tensor) -> tf.Tensor:
    """Returns `image`, asserted to be uint8 [N,224,224,3] with N from 1 to 64.

    Otherwise the graph raises INVALID_ARGUMENT with the expected and the received shape.
    """
    return guarded(image, "image")


def guarded_files(image_bytes: tf.Tensor) -> tf.Tensor:
    """Returns `image_bytes`, asserted to be string [N]; see `guarded_image`."""
    return guarded(image_bytes, "image_bytes")


def guarded(value: tf.Tensor, name: str, largest_batch: int = LARGEST_BATCH) -> tf.Tensor:
    """Returns a tensor, asserted to have the shape that its signature declares.

    Args:
        value: The tensor of the request, of a declared shape `[None, ...]`.
        name: The name of the input.
        largest_batch: The largest N.
    """
    expected = f"Expected {name} of shape [{', '.join(map(str, ('N', *value.shape[1:])))}]"
    shape = _shape_as_sent(value)
    sides = tf.constant(value.shape[1:].as_list(), tf.int32)
    batch = shape[:1]
    fits = tf.reduce_all((batch >= 1) & (batch <= largest_batch))
    # False, not an error, where the numbers of dimensions differ.
    same = tf.raw_ops.Equal(x=shape[1:], y=sides, incompatible_shape_error=False)
    right = fits & tf.reduce_all(same) & (tf.size(shape) == value.shape.rank)
    words = f"{expected} with N from 1 to {largest_batch}. Received the shape"
    with tf.control_dependencies([tf.debugging.Assert(right, [words, shape], summarize=8)]):
        # Not `ensure_shape`: it makes TensorFlow optimize the network differently, so that the
        # probabilities change in their last bits.
        return tf.identity(value)


def _shape_as_sent(value: tf.Tensor) -> tf.Tensor:
    """Returns the shape at run time.

    The placeholder has the declared shape. TensorFlow would use it as the run-time shape when it
    optimizes the graph, and would drop the assertion. `PlaceholderWithDefault` hides the shape.
    """
    return tf.shape(tf.raw_ops.PlaceholderWithDefault(input=value, shape=None))
