"""From the bytes of a photo to what the model takes: the one definition of preprocessing.

The front end and the training pipeline both call these two functions, so a photo looks the same
to the model on the day it learns from it and on the day it is asked about it.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import pi_heif  # type: ignore[import-untyped]
from PIL import Image, ImageChops, UnidentifiedImageError

from webapp.imaging import cost, jpeg, tiff
from webapp.imaging.errors import (
    BadImage,
    DamagedImage,
    NotAnImage,
    TooCostly,
    name_the_problem,
)
from webapp.imaging.metadata import without_metadata

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "ENOUGH",
    "IMAGE_SIZE",
    "BadImage",
    "at_reduced_scale",
    "decode",
    "open_header",
    "open_upright",
    "to_square",
    "to_tensor",
]

IMAGE_SIZE = 224
ENOUGH = IMAGE_SIZE * 3 // 2
"""Pixels that the shorter side of a photo keeps at least where it is decoded at reduced scale: half
as many again as the model sees, so that the resize that follows still smooths."""
ROUNDED = 24_000_000
"""Pixels from which a side need not divide to be decoded at reduced scale: what the decoder adds to
it is less than a pixel of the model's."""
ALL_BUT = 0.95
"""Share of its rows that a JPEG without its last bytes must have."""

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "BMP", "TIFF")

pi_heif.register_heif_opener()
# Pillow's own limit, which is lower, knows nothing of reduced scales; `cost.check_size` does.
Image.MAX_IMAGE_PIXELS = cost.MAX_PIXELS


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


def open_header(data: bytes) -> Image.Image:
    """Read the header of a photo, and refuse from it what would cost too much to decode.

    Args:
        data: A whole file, as `open_upright` takes it.

    Returns:
        The picture with its format and size known and no pixel decoded, for `decode`.

    Raises:
        BadImage: One of its kinds.
    """
    if not data:
        raise NotAnImage("The file is empty.")
    tiff.check_directory(data)
    data = without_metadata(data)
    image = _identify(data)
    cost.check_size(image)
    if image.format == "JPEG":
        image.info["scans"] = _check_scans(data, image.info["cut"])
    return image


def at_reduced_scale(image: Image.Image, enough: int = ENOUGH) -> Image.Image:
    """Choose the smallest scale at which a photo that is shrunk anyway can be decoded.

    A JPEG will come at 1/8, 1/4 or 1/2 of its size where that is enough and cuts no pixel in two,
    in a third of the time and a fraction of the memory. Other formats will come whole.

    Args:
        image: From `open_header`, not yet decoded; changed in place.
        enough: How many pixels both sides must keep at least.

    Returns:
        The same picture, with the size that it will have.
    """
    # Where a side does not divide, the decoder adds to it, and all would move by half a pixel.
    exact = image.width * image.height <= ROUNDED
    for scale in (8, 4, 2):
        divides = not (exact and any(side % scale for side in image.size))
        if divides and min(image.size) // scale >= enough:
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
        return _turn_upright(_to_rgb(image), _orientation(image))
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


def _identify(data: bytes) -> Image.Image:
    is_cut = data.startswith(jpeg.START) and jpeg.lacks_its_end(data)
    try:
        # With an end marker the decoder gives what there is, and grey for what there is not.
        image = Image.open(io.BytesIO(data + jpeg.END if is_cut else data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise cost.too_many_megapixels() from error
    except UnidentifiedImageError as error:
        raise name_the_problem(data) from error
    except Exception as error:
        raise DamagedImage("The beginning of the picture is damaged.") from error
    # A JPEG all at once: the last kilobytes of each piece, of 64 kB by default, are decoded by the
    # slower of libjpeg-turbo's two ways, the one that looks for the end of its input (jdhuff.c).
    # Others would be read as a whole for each of their parts, of which a TIFF may have thousands.
    if image.format == "JPEG":
        image.decodermaxblock = len(data) + len(jpeg.END)
        image.info["cut"] = is_cut
    return image


def _check_scans(data: bytes, is_cut: bool) -> int:
    scans = jpeg.count_scans(data)
    if scans > 1 and is_cut and not jpeg.reaches_full_precision(data):
        raise DamagedImage("The picture is damaged or incomplete: its details are missing.")
    if scans > jpeg.MAX_SCANS:
        raise TooCostly(
            f"The JPEG has over {jpeg.MAX_SCANS} scans or arithmetic coding: no camera writes that."
        )
    return scans


def _check_rows(image: Image.Image) -> None:
    """Refuse a JPEG without its end unless nearly all of its rows are there."""
    # What libjpeg lacks comes as coefficients of zero (jdhuff.c, `insufficient_data`): mid-grey.
    grey = Image.new(image.mode, image.size, (128,) * len(image.getbands()))
    box = ImageChops.difference(image, grey).getbbox()
    if not box or box[3] < ALL_BUT * image.height:
        raise DamagedImage("The picture is damaged or incomplete: its lower part is missing.")


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _orientation(image: Image.Image) -> int:
    # A broken EXIF block says nothing about the pixels: the picture is then taken as it lies.
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:
        return 1


def _turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_grey_to_8_bit(image).convert("RGB")
    if image.has_transparency_data:
        return _over_white(image if image.mode == "RGBA" else image.convert("RGBA"))
    return image.convert("RGB") if image.mode != "RGB" else image


def _deep_grey_to_8_bit(image: Image.Image) -> Image.Image:
    # Pillow clips deep grey at 255. 32-bit files do not say where white is: the nearest usual
    # white point that holds their brightest pixel is taken.
    usual = (65535.0,) if image.mode.startswith("I;16") else (1.0, 255.0, 65535.0)
    pixels = image.convert("F")
    peak = float(pixels.getextrema()[1])  # type: ignore[arg-type]
    white = next((point for point in usual if peak <= point), peak)
    if not math.isfinite(white):
        raise DamagedImage("The picture has pixels that are not numbers.")
    return pixels.point(lambda value: value * (255.0 / white) + 0.5).convert("L")


def _over_white(image: Image.Image) -> Image.Image:
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image, mask=image.getchannel("A"))
    return paper
