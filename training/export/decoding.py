"""Files to pixels inside the graph: what `serve_bytes` makes of a JPEG, PNG, GIF or BMP.

A header of a few bytes can promise gigabytes, so the size is read from it first. An error names the
picture by its place in the batch; only the decoders, which do not know the place, name the file's
size in bytes instead.
"""

from collections.abc import Callable

import tensorflow as tf

from training.export.gif import first_frame
from webapp.imaging.preprocessing import ENOUGH, IMAGE_SIZE

LARGEST_SIDE = 20_000
LARGEST_AREA = 16_000_000
"""Pixels that are decoded at most: they take six bytes each."""
LARGEST_JPEG = 64_000_000
"""Pixels of a JPEG, which is decoded at half its size where it has more than `LARGEST_AREA`."""

_SQUARE = tf.TensorSpec((IMAGE_SIZE, IMAGE_SIZE, 3), tf.uint8)
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
_FORMATS = "JPEG, PNG, GIF or BMP"
# The longest header is that of a BMP.
_HEADER = 34
_RATIOS = (1, 2, 4, 8)
# Encoders write about ten scans; each is a walk over all pixels.
_MOST_SCANS = 100
_SCAN = (0xFF, 0xDA)
# Bytes times pixels up to which no number of scans takes long.
_QUICK = 10**10
# One or two of so many random bytes look like a scan: there may be a film behind the JPEG.
_CHANCE = 2**15


def decoded(files: tf.Tensor) -> tf.Tensor:
    """Returns string [N] as uint8 [N,224,224,3], decoded one after the other.

    The graph raises INVALID_ARGUMENT for a file that is of another format, is too large, or cannot
    be decoded.
    """
    count = tf.shape(files)[0]
    # Side by side, the pixels of all would be in memory at once.
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
        """Returns uint8 [224,224,3]: what the front end makes of an upright RGB photo, within 1.

        Pillow resizes the width first and rounds before it resizes the height.
        """
        starts = [tf.strings.substr(self._file, 0, len(start)) == start for start in _STARTS]
        kind = tf.argmax(tf.stack([*starts, True]), output_type=tf.int32)
        pixels = tf.switch_case(kind, [self._jpeg, self._png, self._gif, self._bmp, self._unknown])
        pixels.set_shape((None, None, 3))
        # Resized as columns: the kernel holds all that comes of its first direction as floats.
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
        # The accurate decoder is the front end's; the fast one is up to five levels away.
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
        """Decodes one whose pixels are places in a table of colors, each blue, green, red, 0."""
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
        """Reads integers of the header, `<u2` being little-endian, unsigned; int32 [count]."""
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
    """Returns which of `_RATIOS` a JPEG is decoded at.

    It is the front end's choice, where that leaves few enough pixels.
    """
    ratios = tf.constant(_RATIOS)
    fits = (sides[:, None] % ratios == 0) & (sides[:, None] // ratios >= ENOUGH)
    exact = tf.reduce_max(tf.where(tf.reduce_all(fits, axis=0), tf.range(len(_RATIOS)), 0))
    few = _area(sides) <= LARGEST_AREA * tf.cast(ratios, tf.int64) ** 2
    return tf.maximum(exact, tf.argmax(few, output_type=tf.int32))


def _resize(pixels: tf.Tensor, size: tuple[tf.Tensor | int, tf.Tensor | int]) -> tf.Tensor:
    smooth = tf.image.resize(pixels, size, "bilinear", antialias=True)
    return tf.cast(tf.floor(smooth + 0.5), tf.uint8)
