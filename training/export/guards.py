"""What each signature asserts before anything else of its graph sees what was sent.

TensorFlow Serving compares no tensor with the shape that a signature declares, and the kernels
behind it end the process over a tensor of fewer dimensions than they were built for.
"""

import tensorflow as tf

from webapp.imaging.preprocessing import IMAGE_SIZE

LARGEST_BATCH = 64
"""The most pictures of one request."""

IMAGE_SHAPE = (None, IMAGE_SIZE, IMAGE_SIZE, 3)


def guarded_image(image: tf.Tensor) -> tf.Tensor:
    """Returns uint8 [N,224,224,3] once it is known to be that, with N from 1 to 64.

    The graph behind it raises INVALID_ARGUMENT with the expected and the received shape otherwise.
    """
    return guarded(image, "image")


def guarded_files(image_bytes: tf.Tensor) -> tf.Tensor:
    """Returns string [N] once it is known to be that; see `guarded_image`."""
    return guarded(image_bytes, "image_bytes")


def guarded(value: tf.Tensor, name: str, largest_batch: int = LARGEST_BATCH) -> tf.Tensor:
    """Returns a tensor once it is known to be of the shape that its signature declares.

    Args:
        value: What was sent, of a declared shape `[None, ...]`.
        name: The name of the input.
        largest_batch: The most that N may be.
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
        # Not `ensure_shape`: with it TensorFlow rewrites the network in another way, and
        # probabilities change in their last bits.
        return tf.identity(value)


def _shape_as_sent(value: tf.Tensor) -> tf.Tensor:
    """Returns the shape at run time.

    The placeholder has the declared shape, from which TensorFlow would compute this one when it
    optimizes the graph, and no assertion would be left. The operation between promises no shape.
    """
    return tf.shape(tf.raw_ops.PlaceholderWithDefault(input=value, shape=None))
