"""Finds the first frame of a GIF inside the graph.

TensorFlow's decoder decodes all frames and then drops all but the first. A frame of 16 megapixels
takes only some ten kilobytes of a file, so the other frames are cut off before decoding.
CompuServe, "Graphics Interchange Format, Version 89a", 1990.
"""

import tensorflow as tf

_EXTENSION, _FRAME, _END = 0x21, 0x2C, b";"
_SCREEN, _DESCRIPTOR = 13, 10
# Encoders write at most three extensions before a frame, and sub-blocks ("pieces") of 255 bytes.
_MOST_EXTENSIONS = 16
_MOST_PIECES = 2**15


def first_frame(file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns a GIF of the first frame alone, and its height and width, int32 [2].

    Height and width are 0 if the file has no frame.
    """
    # The zeros that are added behind the file end every search.
    data = tf.pad(tf.io.decode_raw(file, tf.uint8), [[0, _SCREEN]])
    frame = tf.while_loop(
        lambda at: _byte(data, at) == _EXTENSION,
        lambda at: _behind_pieces(data, at + 2),
        [_SCREEN + _color_table(data, 10)],
        maximum_iterations=_MOST_EXTENSIONS,
        parallel_iterations=1,
    )[0]
    pixels = frame + _DESCRIPTOR + _color_table(data, frame + 9) + 1
    only = tf.strings.substr(file, 0, _behind_pieces(data, pixels)) + _END
    sides = tf.stack([_number(data, frame + 7), _number(data, frame + 5)])
    return only, tf.where(_byte(data, frame) == _FRAME, sides, 0)


def _behind_pieces(data: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    """Returns the offset behind a row of length-prefixed sub-blocks, which a length of 0 ends."""
    return (
        1
        + tf.while_loop(
            lambda at: _byte(data, at) > 0,
            lambda at: at + 1 + _byte(data, at),
            [at],
            maximum_iterations=_MOST_PIECES,
            parallel_iterations=1,
        )[0]
    )


def _color_table(data: tf.Tensor, at: tf.Tensor | int) -> tf.Tensor:
    """Returns the number of bytes of the color table that the flags at offset `at` declare."""
    flags = _byte(data, at)
    return tf.where(flags >= 0x80, 3 * tf.bitwise.left_shift(2, flags % 8), 0)


def _number(data: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    return _byte(data, at) + 256 * _byte(data, at + 1)


def _byte(data: tf.Tensor, at: tf.Tensor | int) -> tf.Tensor:
    return tf.cast(data[tf.minimum(at, tf.size(data) - 1)], tf.int32)
