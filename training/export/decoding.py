"""Decodes JPEG, PNG, GIF and BMP files inside the graph, for the signature `serve_bytes`.

A header of a few bytes can declare gigabytes, so the declared size is checked before decoding. An
error names the picture by its position in the batch. Only the decoders' own errors name the file's
size in bytes instead, because the decoders do not know the position.
"""

from collections.abc import Callable

import tensorflow as tf

from training.export.gif import first_frame
from webapp.imaging.preprocessing import IMAGE_SIZE, MIN_REDUCED_SIDE

LARGEST_SIDE = 20_000
LARGEST_AREA = 16_000_000
"""The most pixels that are decoded; each takes six bytes."""
LARGEST_JPEG = 64_000_000
"""The most pixels of a JPEG; above `LARGEST_AREA` it is decoded at half its size or less."""

_SQUARE = tf.TensorSpec((IMAGE_SIZE, IMAGE_SIZE, 3), tf.uint8)
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
_FORMATS = "JPEG, PNG, GIF or BMP"
# Bytes of the longest header, that of a BMP.
_HEADER = 34
_RATIOS = (1, 2, 4, 8)
# Encoders write about ten scans into a JPEG; the decoder goes over all pixels for each scan.
_MOST_SCANS = 100
_SCAN = (0xFF, 0xDA)
# Up to this product of bytes and pixels, any number of scans is decoded fast.
_QUICK = 10**10
# Bytes that allow one more scan: random data, such as a film behind the JPEG, may look like scans.
_CHANCE = 2**15


def decoded(files: tf.Tensor) -> tf.Tensor:
    """Decodes string [N] to uint8 [N,224,224,3], one file after the other.

    The graph raises INVALID_ARGUMENT for a file that is of another format, is too large, or cannot
    be decoded.
    """
    count = tf.shape(files)[0]
    # In parallel, the pixels of all files would be in memory at the same time.
    return tf.map_fn(
        lambda place: _Picture(files[place], place, count).square(),
        tf.range(count),
        fn_output_signature=_SQUARE,
        parallel_iterations=1,
    )


class _Picture:
    """One file of a batch."""

    def __init__(self, file: tf.Tensor, place: tf.Tensor, count: tf.Tensor) -> None:
        self._file, self._place, self._count = file, place, count

    def square(self) -> tf.Tensor:
        """Returns uint8 [224,224,3], within 1 of the front end's result for an upright RGB photo.

        As in Pillow, the width is resized first and rounded before the height is resized.
        """
        starts = [tf.strings.substr(self._file, 0, len(start)) == start for start in _STARTS]
        kind = tf.argmax(tf.stack([*starts, True]), output_type=tf.int32)
        pixels = tf.switch_case(kind, [self._jpeg, self._png, self._gif, self._bmp, self._unknown])
        pixels.set_shape((None, None, 3))
        # Transposed, because the kernel keeps the whole result of its first direction as floats.
        narrow = _resize(tf.transpose(pixels, (1, 0, 2)), (IMAGE_SIZE, tf.shape(pixels)[0]))
        whole = _resize(tf.transpose(narrow, (1, 0, 2)), (IMAGE_SIZE, IMAGE_SIZE))
        return tf.ensure_shape(whole, _SQUARE.shape)

    def _jpeg(self) -> tf.Tensor:
        sides = tf.io.extract_jpeg_shape(self._file)[:2]
        length = tf.cast(tf.strings.length(self._file), tf.int64)
        quick = length * _area(sides) <= _QUICK
        few = tf.cond(quick, lambda: True, lambda: _has_few_scans(self._file))
        is_fit = [self._fits(sides, LARGEST_JPEG), self._require(few, "has too many scans.")]
        with tf.control_dependencies(is_fit):
            return tf.switch_case(_reduction(sides), [self._jpeg_at(ratio) for ratio in _RATIOS])

    def _jpeg_at(self, ratio: int) -> Callable[[], tf.Tensor]:
        # The front end uses the accurate decoder; the fast one differs by up to five levels.
        return lambda: tf.io.decode_jpeg(
            self._file, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    def _png(self) -> tf.Tensor:
        with tf.control_dependencies([self._has_header()]):
            sides = self._numbers(16, ">i4", 2)[::-1]
        with tf.control_dependencies([self._fits(sides)]):
            return tf.io.decode_png(self._file, channels=3)

    def _gif(self) -> tf.Tensor:
        with tf.control_dependencies([self._has_header()]):
            screen = self._numbers(6, "<u2", 2)[::-1]
        frame, sides = first_frame(self._file)
        with tf.control_dependencies([self._fits(screen), self._fits(sides)]):
            return tf.io.decode_image(frame, channels=3, expand_animations=False)

    def _bmp(self) -> tf.Tensor:
        with tf.control_dependencies([self._has_header()]):
            sides = tf.abs(self._numbers(18, "<i4", 2)[::-1])
            depth, packed = self._numbers(28, "<u2", 1)[0], self._numbers(30, "<i4", 1)[0]
        plain = (packed == 0) & tf.reduce_any(depth == [8, 24, 32])
        words = "is a BMP that is not plain with 8, 24 or 32 bits a pixel. Bits and compression:"
        with tf.control_dependencies(
            [self._fits(sides), self._require(plain, words, depth, packed)]
        ):
            return tf.cond(
                depth == 8, self._bmp_of_colors, lambda: tf.io.decode_bmp(self._file, channels=3)
            )

    def _bmp_of_colors(self) -> tf.Tensor:
        """Decodes a BMP whose pixels are indices into a table of colors: blue, green, red, 0."""
        pixels_at, header = tf.unstack(self._numbers(10, "<i4", 2), 2)
        table = tf.strings.substr(self._file, 14 + header, pixels_at - 14 - header)
        colors = tf.reshape(tf.io.decode_raw(table, tf.uint8), (-1, 4))[:, 2::-1]
        places = tf.io.decode_bmp(self._file, channels=0)[..., 0]
        return tf.gather(colors, tf.cast(places, tf.int32))

    def _unknown(self) -> tf.Tensor:
        with tf.control_dependencies([self._require(tf.constant(False), f"is no {_FORMATS}.")]):
            return tf.zeros((1, 1, 3), tf.uint8)

    def _has_header(self) -> tf.Operation:
        long_enough = tf.strings.length(self._file) >= _HEADER
        return self._require(long_enough, "ends within its header.")

    def _fits(self, sides: tf.Tensor, largest: int = LARGEST_AREA) -> tf.Operation:
        fits = tf.reduce_all((sides > 0) & (sides <= LARGEST_SIDE)) & (_area(sides) <= largest)
        words = (
            f"should have sides of 1 to {LARGEST_SIDE} pixels and at most {largest // 10**6}"
            " megapixels. Its height and width:"
        )
        return self._require(fits, words, sides)

    def _require(self, condition: tf.Tensor, words: str, *values: tf.Tensor) -> tf.Operation:
        place = tf.strings.format("image_bytes: picture {} of {}", (self._place + 1, self._count))
        return tf.debugging.Assert(condition, [place, words, *values])

    def _numbers(self, at: int, dtype: str, count: int) -> tf.Tensor:
        """Reads integers of the header, e.g. `<u2` for little-endian uint16, as int32 [count]."""
        kind = {"u2": tf.uint16, "i4": tf.int32}[dtype[1:]]
        data = tf.strings.substr(self._file, at, count * kind.size)
        return tf.cast(tf.io.decode_raw(data, kind, little_endian=dtype[0] == "<"), tf.int32)


def _area(sides: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.cast(sides, tf.int64))


def _has_few_scans(file: tf.Tensor) -> tf.Tensor:
    data = tf.io.decode_raw(file, tf.uint8)
    scans = tf.math.count_nonzero((data[:-1] == _SCAN[0]) & (data[1:] == _SCAN[1]))
    return scans <= _MOST_SCANS + tf.size(data, tf.int64) // _CHANCE


def _reduction(sides: tf.Tensor) -> tf.Tensor:
    """Returns the index in `_RATIOS` of the scale at which a JPEG is decoded.

    Up to 24 megapixels it is the front end's choice, unless that leaves too many pixels.
    """
    ratios = tf.constant(_RATIOS)
    fits = (sides[:, None] % ratios == 0) & (sides[:, None] // ratios >= MIN_REDUCED_SIDE)
    exact = tf.reduce_max(tf.where(tf.reduce_all(fits, axis=0), tf.range(len(_RATIOS)), 0))
    few = _area(sides) <= LARGEST_AREA * tf.cast(ratios, tf.int64) ** 2
    return tf.maximum(exact, tf.argmax(few, output_type=tf.int32))


def _resize(pixels: tf.Tensor, size: tuple[tf.Tensor | int, tf.Tensor | int]) -> tf.Tensor:
    smooth = tf.image.resize(pixels, size, "bilinear", antialias=True)
    return tf.cast(tf.floor(smooth + 0.5), tf.uint8)
