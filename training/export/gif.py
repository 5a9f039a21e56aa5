"""The first frame of a GIF, found inside the graph.

TensorFlow's decoder makes pixels of all frames and then drops all but the first. A frame of 16
megapixels takes some ten kilobytes of a file, so the others are cut off first. CompuServe,
"Graphics Interchange Format, Version 89a", 1990.
"""

import tensorflow as tf

_EXTENSION, _FRAME, _END = 0x21, 0x2C, b";"
_SCREEN, _DESCRIPTOR = 13, 10
# Encoders write three extensions at most before a frame, and pieces of 255 bytes.
_MOST_EXTENSIONS = 16
_MOST_PIECES = 2**15


def first_frame(file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns a GIF of the first frame alone, and its height and width, int32 [2].

    They are 0 where the file has no frame.
    """
    # Behind the file there are zeros, which end everything that is looked for.
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
    """Returns the place behind pieces with their lengths before them, the last of which is 0."""
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
    """Returns how many bytes the color table takes that the flags at a place tell of."""
    flags = _byte(data, at)
    return tf.where(flags >= 0x80, 3 * tf.bitwise.left_shift(2, flags % 8), 0)


def _number(data: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    return _byte(data, at) + 256 * _byte(data, at + 1)


def _byte(data: tf.Tensor, at: tf.Tensor | int) -> tf.Tensor:
    return tf.cast(data[tf.minimum(at, tf.size(data) - 1)], tf.int32)
