"""From the bytes of a photo to what the model takes: the one definition of preprocessing.

The front end and the training pipeline both call these functions, so a photo looks the same to a
model on the day it learns from it and on the day it is asked about it: `to_square` for the one that
names a bill, `letterboxed` for the one that counts several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageChops

from webapp.imaging.errors import BadImage, DamagedImage, TooCostly
from webapp.imaging.header import open_header
from webapp.imaging.upright import upright_rgb

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "COUNT_SIZE",
    "ENOUGH",
    "IMAGE_SIZE",
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
"""Side in pixels of the square that the counter of bills takes."""
ENOUGH = IMAGE_SIZE * 3 // 2
"""Pixels that the shorter side of a photo keeps at least where it is decoded at reduced scale: half
as many again as the model sees, so that the resize that follows still smooths."""
ROUNDED = 24_000_000
"""Pixels from which a side need not divide to be decoded at reduced scale: what the decoder adds to
it is less than a pixel of the model's."""
ALL_BUT = 0.95
"""Share of its rows that a JPEG without its last bytes must have."""


def open_upright(data: bytes) -> Image.Image:
    """Decode a photo, whatever its format and mode, and turn it the right way up.

    The format is found from the content. Of animations and multi-page files, the first picture
    is taken. Transparent parts become white.

    Args:
        data: A whole file: JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF.

    Returns:
        The picture in mode `RGB`, with its EXIF orientation applied.

    Raises:
        BadImage: One of its kinds, with a sentence fit to show.
    """
    return decode(open_header(data))


def at_reduced_scale(image: Image.Image, enough: int = ENOUGH, longest: int = 0) -> Image.Image:
    """Choose the smallest scale at which a photo that is shrunk anyway can be decoded.

    A JPEG will come at 1/8, 1/4 or 1/2 of its size where that is enough and cuts no pixel in two,
    in a third of the time and a fraction of the memory. Other formats will come whole.

    Args:
        image: From `open_header`, not yet decoded; changed in place.
        enough: How many pixels both sides must keep at least.
        longest: How many the longer side must keep at least.

    Returns:
        The same picture, with the size that it will have.
    """
    # Where a side does not divide, the decoder adds to it, and all would move by half a pixel.
    exact = image.width * image.height <= ROUNDED
    for scale in (8, 4, 2):
        divides = not (exact and any(side % scale for side in image.size))
        keeps = min(image.size) // scale >= enough and max(image.size) // scale >= longest
        if divides and keeps:
            image.draft(None, (image.width // scale, image.height // scale))
            break
    return image


def decode(image: Image.Image) -> Image.Image:
    """Decode what `open_header` gave, as `RGB` and upright.

    Raises:
        DamagedImage: It cannot be read to its end.
        TooCostly: There is not enough memory for it.
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
    # Given hostile bytes the decoders raise nearly every type there is.
    except Exception as error:
        raise DamagedImage(
            "The picture is damaged or incomplete and cannot be read to its end."
        ) from error


def to_square(image: Image.Image) -> Image.Image:
    """Stretch a whole picture to the model's square, 224 x 224 pixels.

    Pillow's bilinear filter widens as it shrinks, exactly as `tf.image.resize` does with
    `antialias=True`; the model's `serve_bytes` signature relies on that.

    Args:
        image: A picture in mode `RGB`, of any size.
    """
    return image.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)


class Frame(NamedTuple):
    """Where the whole of a photo lies within the counter's square, in pixels of the square."""

    left: int
    top: int
    width: int
    height: int


def frame_in_square(width: int, height: int) -> Frame:
    """Place a photo in the counter's square: its longer side fills it, the other is centred.

    Args:
        width: That of the upright photo, in pixels, as `height` is.
        height: Only their proportion counts.
    """
    scale = COUNT_SIZE / max(width, height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    return Frame((COUNT_SIZE - inner[0]) // 2, (COUNT_SIZE - inner[1]) // 2, *inner)


def letterboxed(image: Image.Image) -> Image.Image:
    """Fit a whole picture into the counter's square, 448 x 448 pixels, with black around it.

    Nothing is stretched: where things lie and how they are turned is what the counter tells.
    `frame_in_square` leads back.

    Args:
        image: A picture in mode `RGB`, of any size; a smaller one is enlarged.
    """
    left, top, *inner = frame_in_square(*image.size)
    square = Image.new("RGB", (COUNT_SIZE, COUNT_SIZE))
    # The gap lets a large picture be averaged over whole pixels first, in half of the time.
    fitted = image.resize((inner[0], inner[1]), Image.Resampling.BILINEAR, reducing_gap=1.0)
    square.paste(fitted, (left, top))
    return square


def to_tensor(image: Image.Image) -> np.ndarray:
    """Make the model's tensor of a whole picture, see `to_square`.

    Args:
        image: A picture in mode `RGB`, of any size.

    Returns:
        uint8 `[224, 224, 3]`, RGB.
    """
    # Imported no earlier: a decoding process does without it, and would be nearly twice as large.
    import numpy as np

    return np.array(to_square(image), dtype=np.uint8)


def _check_rows(image: Image.Image) -> None:
    """Refuse a JPEG without its end unless nearly all of its rows are there."""
    # What libjpeg lacks comes as coefficients of zero (jdhuff.c, `insufficient_data`): mid-grey.
    grey = Image.new(image.mode, image.size, (128,) * len(image.getbands()))
    box = ImageChops.difference(image, grey).getbbox()
    if not box or box[3] < ALL_BUT * image.height:
        raise DamagedImage("The picture is damaged or incomplete: its lower part is missing.")
