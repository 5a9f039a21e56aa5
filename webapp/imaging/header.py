"""Reads the header of a photo, and refuses a photo that would cost too much to decode."""

from __future__ import annotations

import io

import pi_heif  # type: ignore[import-untyped]
from PIL import Image, UnidentifiedImageError

from webapp.imaging import cost, jpeg, tiff
from webapp.imaging.errors import DamagedImage, NotAnImage, TooCostly, name_the_problem
from webapp.imaging.metadata import without_metadata

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "BMP", "TIFF")

pi_heif.register_heif_opener()
# Pillow's default limit is lower and ignores reduced scales; `cost.check_size` accounts for them.
Image.MAX_IMAGE_PIXELS = cost.MAX_PIXELS


def open_header(data: bytes) -> Image.Image:
    """Read a header without decoding the picture.

    Args:
        data: A whole file, in any format that `open_upright` accepts.

    Returns:
        The picture with its format and size known and no pixel decoded, for `decode`.

    Raises:
        BadImage: One of its subclasses.
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


def _identify(data: bytes) -> Image.Image:
    is_cut = data.startswith(jpeg.START) and jpeg.lacks_its_end(data)
    try:
        # With an end marker added, the decoder returns the existing rows, and grey for the rest.
        image = Image.open(io.BytesIO(data + jpeg.END if is_cut else data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise cost.too_many_megapixels() from error
    except UnidentifiedImageError as error:
        raise name_the_problem(data) from error
    except Exception as error:
        raise DamagedImage("The beginning of the picture is damaged.") from error
    # A JPEG is decoded in one block: libjpeg-turbo decodes the last kilobytes of each block, 64 kB
    # by default, with its slower method, which checks for the end of the input (jdhuff.c). Other
    # formats would be read whole for each of their parts, of which a TIFF may have thousands.
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
