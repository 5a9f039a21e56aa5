"""What decoding a picture costs, told from its header: what is refused, what counts as slow."""

from __future__ import annotations

from PIL import Image

from webapp.imaging.errors import TooManyPixels

MAX_SIDE = 20_000
MAX_ASPECT = 50
"""Longer sides over shorter ones; decoders work row by row, so a thin picture costs far more than
its pixels."""

_MILLION = 1_000_000
# A JPEG is decoded at a reduced scale.
_MAX_MEGAPIXELS = {"JPEG": 120, "HEIF": 65}
_MAX_MEGAPIXELS_OF_OTHERS = 50
MAX_PIXELS = 120 * _MILLION
"""Those of the largest picture of any format."""

# Nanoseconds a pixel on one core of 2 GHz with AVX-512, decoding and all that follows it: the
# slowest of noise, of one colour, and of palettes with transparency.
_EACH_PIXEL = {"PNG": 55, "WEBP": 55, "AVIF": 65, "HEIF": 85, "GIF": 30, "BMP": 16, "TIFF": 25}
# A JPEG: its bytes by the entropy decoder, each pixel of each scan, each pixel that comes out.
_JPEG_BYTE, _JPEG_PIXEL, _JPEG_SCAN, _JPEG_DECODED = 11, 1.0, 1.5, 14
# A BMP of run lengths, for which Pillow's decoder is written in Python: BI_RLE8 and BI_RLE4.
_RUN_LENGTHS = (1, 2)
_RUN_BYTE, _RUN_PIXEL = 480, 210


def check_size(image: Image.Image) -> None:
    """Refuse a picture by its header.

    Args:
        image: With its format and full size known, and not yet decoded.

    Raises:
        TooManyPixels: It has more of them, or longer or thinner sides, than any camera's picture.
    """
    found = f" This one has {image.width} x {image.height}."
    long, short = max(image.size), min(image.size)
    if long > MAX_SIDE:
        raise TooManyPixels(f"The picture is too large: at most {MAX_SIDE:,} pixels a side.{found}")
    if long > MAX_ASPECT * short:
        raise TooManyPixels(
            f"The picture is too thin: at most {MAX_ASPECT} times as long as wide.{found}"
        )
    most = _MAX_MEGAPIXELS.get(image.format or "", _MAX_MEGAPIXELS_OF_OTHERS)
    if image.width * image.height > most * _MILLION:
        raise too_many_megapixels(most, found)


def too_many_megapixels(most: int = MAX_PIXELS // _MILLION, found: str = "") -> TooManyPixels:
    """The refusal of a picture that has more than so many."""
    return TooManyPixels(f"The picture is too large: at most {most} megapixels.{found}")


def estimate(image: Image.Image, full_size: tuple[int, int], scans: int, size: int) -> float:
    """Estimate the processor time of decoding a picture, in seconds on this project's machine.

    Args:
        image: With the size that it will have, and not yet decoded.
        full_size: Its size before it was to be decoded at a reduced scale.
        scans: Those of a JPEG.
        size: Bytes of its file.
    """
    decoded = image.width * image.height
    if image.format == "JPEG":
        pixels = full_size[0] * full_size[1]
        walks = pixels * (_JPEG_PIXEL if scans == 1 else scans * _JPEG_SCAN)
        return (size * _JPEG_BYTE + walks + decoded * _JPEG_DECODED) / 1e9
    if image.format == "BMP" and image.info.get("compression") in _RUN_LENGTHS:
        return (size * _RUN_BYTE + decoded * _RUN_PIXEL) / 1e9
    return decoded * _EACH_PIXEL[image.format or ""] / 1e9
