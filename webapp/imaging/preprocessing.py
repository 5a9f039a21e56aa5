"""From the bytes of a photo to the model's input: the only definition of preprocessing.

The front end and the training pipeline both call these functions, so a model receives the same
pixels of a photo in training and in serving: `to_square` for the classifier, which names a bill,
and `letterboxed` for the counter, which counts several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageChops

from webapp.imaging.errors import BadImage, DamagedImage, TooCostly
from webapp.imaging.header import open_header
from webapp.imaging.upright import upright_rgb

if TYPE_CHECKING:
    import numpy as np

# `BadImage` is among them for the training, and `open_header` for the bench.
__all__ = [
    "COUNT_SIZE",
    "IMAGE_SIZE",
    "MIN_REDUCED_SIDE",
    "BadImage",
    "Frame",
    "at_reduced_scale",
    "decode",
    "frame_in_square",
    "letterboxed",
    "open_header",
    "open_upright",
    "to_square",
    "to_tensor",
]

IMAGE_SIZE = 224
COUNT_SIZE = 448
"""Side in pixels of the square that is the counter's input."""
MIN_REDUCED_SIDE = IMAGE_SIZE * 3 // 2
"""Fewest pixels of a photo's shorter side when it is decoded at reduced scale: 1.5 times the size
of the model's input, so that the later resize still smooths."""
PADDING_IGNORED_FROM = 24_000_000
"""Pixels of a photo above which its sides need not be multiples of the scale: the padding that the
decoder adds is then less than one pixel of the model's input."""
MIN_ROWS_SHARE = 0.95
"""Share of its rows that a truncated JPEG must have."""


def open_upright(data: bytes) -> Image.Image:
    """Decode a photo, whatever its format and mode, and turn it the right way up.

    The format is detected from the content. Of animations and multi-page files, the first picture
    is used. Transparent parts become white.

    Args:
        data: A whole file: JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF.

    Returns:
        The picture in mode `RGB`, with its EXIF orientation applied.

    Raises:
        BadImage: One of its subclasses, with a message that can be shown to people.
    """
    return decode(open_header(data))


def at_reduced_scale(
    image: Image.Image, enough: int = MIN_REDUCED_SIDE, longest: int = 0
) -> Image.Image:
    """Choose the smallest scale at which a photo that is shrunk later can be decoded.

    A JPEG is decoded at 1/8, 1/4 or 1/2 of its size if that keeps enough pixels and divides both
    sides, in a third of the time and a fraction of the memory. Other formats keep their size.

    Args:
        image: From `open_header`, not yet decoded; changed in place.
        enough: Fewest pixels of both sides.
        longest: Fewest pixels of the longer side.

    Returns:
        The same picture, with the size at which it will be decoded.
    """
    # The decoder pads a side that is no multiple of the scale: pixels would shift by half a pixel.
    exact = image.width * image.height <= PADDING_IGNORED_FROM
    for scale in (8, 4, 2):
        divides = not (exact and any(side % scale for side in image.size))
        keeps = min(image.size) // scale >= enough and max(image.size) // scale >= longest
        if divides and keeps:
            image.draft(None, (image.width // scale, image.height // scale))
            break
    return image


def decode(image: Image.Image) -> Image.Image:
    """Decode a picture from `open_header`, and turn it into `RGB` and upright.

    Raises:
        DamagedImage: The picture cannot be read to its end.
        TooCostly: There is not enough memory for the picture.
    """
    try:
        image.load()
        if image.info.get("cut"):
            _check_rows(image)
        return upright_rgb(image)
    except MemoryError as error:
        raise TooCostly("The picture takes too much memory to decode.") from error
    except BadImage:
        raise
    # For hostile bytes the decoders raise nearly every type of exception.
    except Exception as error:
        raise DamagedImage(
            "The picture is damaged or incomplete and cannot be read to its end."
        ) from error


def to_square(image: Image.Image) -> Image.Image:
    """Stretch a whole picture to the model's square, 224 x 224 pixels.

    Pillow's bilinear filter widens when it shrinks a picture, exactly as `tf.image.resize` does
    with `antialias=True`; the model's `serve_bytes` signature relies on that.

    Args:
        image: A picture in mode `RGB`, of any size.
    """
    return image.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)


class Frame(NamedTuple):
    """The position and size of a whole photo within the counter's square, in its pixels."""

    left: int
    top: int
    width: int
    height: int


def frame_in_square(width: int, height: int) -> Frame:
    """Place a photo in the counter's square: its longer side fills it, its shorter is centred.

    Args:
        width: Width of the upright photo, in pixels.
        height: Height of the photo; only the ratio of width and height matters.
    """
    scale = COUNT_SIZE / max(width, height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    return Frame((COUNT_SIZE - inner[0]) // 2, (COUNT_SIZE - inner[1]) // 2, *inner)


def letterboxed(image: Image.Image) -> Image.Image:
    """Fit a whole picture into the counter's square, 448 x 448 pixels, with black around it.

    The picture is not distorted, since the counter reports the positions and angles of bills.
    `frame_in_square` gives the frame for mapping positions back to the photo.

    Args:
        image: A picture in mode `RGB`, of any size; a smaller one is enlarged.
    """
    left, top, *inner = frame_in_square(*image.size)
    square = Image.new("RGB", (COUNT_SIZE, COUNT_SIZE))
    # `reducing_gap` first averages a large picture over whole pixels, which halves the time.
    fitted = image.resize((inner[0], inner[1]), Image.Resampling.BILINEAR, reducing_gap=1.0)
    square.paste(fitted, (left, top))
    return square


def to_tensor(image: Image.Image) -> np.ndarray:
    """Make the model's input tensor from a whole picture, see `to_square`.

    Args:
        image: A picture in mode `RGB`, of any size.

    Returns:
        uint8 `[224, 224, 3]`, RGB.
    """
    # Imported here: a decoding process does not need numpy, and would be nearly twice as large.
    import numpy as np

    return np.array(to_square(image), dtype=np.uint8)


def _check_rows(image: Image.Image) -> None:
    """Refuse a truncated JPEG unless nearly all of its rows are there."""
    # libjpeg decodes missing data as zero coefficients (jdhuff.c, `insufficient_data`): mid-grey.
    grey = Image.new(image.mode, image.size, (128,) * len(image.getbands()))
    difference = ImageChops.difference(image, grey)
    if image.mode == "CMYK":  # Pillow inverts most of them: 128 becomes 127.
        difference = difference.point(lambda value: 255 * (value > 1))
    box = difference.getbbox()
    if not box or box[3] < MIN_ROWS_SHARE * image.height:
        raise DamagedImage("The picture is damaged or incomplete: its lower part is missing.")
