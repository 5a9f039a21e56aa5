"""The cost of decoding a picture, estimated from its header, and the limits on its size."""

from __future__ import annotations

from PIL import Image

from webapp.imaging.errors import TooManyPixels

MAX_SIDE = 20_000
MAX_ASPECT = 50
"""Longer side divided by shorter side; decoders work row by row, so a thin picture costs far more
than its number of pixels suggests."""

_MILLION = 1_000_000
# A JPEG is decoded at a reduced scale.
_MAX_MEGAPIXELS = {"JPEG": 120, "HEIF": 65}
_MAX_MEGAPIXELS_OF_OTHERS = 50
MAX_PIXELS = 120 * _MILLION
"""Pixels of the largest picture that is accepted in any format."""

# Nanoseconds per pixel on one 2 GHz core with AVX-512, for decoding and all later steps: the
# slowest of pictures of noise, of one colour, and of palettes with transparency.
_EACH_PIXEL = {"PNG": 55, "WEBP": 55, "AVIF": 65, "HEIF": 85, "GIF": 30, "BMP": 16, "TIFF": 25}
# Nanoseconds of a JPEG: per byte, per pixel of a single scan, per pixel and scan, per output pixel.
_JPEG_BYTE, _JPEG_PIXEL, _JPEG_SCAN, _JPEG_DECODED = 11, 1.0, 1.5, 14
# Run-length encoded BMPs, BI_RLE8 and BI_RLE4, for which Pillow's decoder is written in Python.
_RUN_LENGTHS = (1, 2)
_RUN_BYTE, _RUN_PIXEL = 480, 210


def check_size(image: Image.Image) -> None:
    """Refuse a picture whose header announces too large a size.

    Args:
        image: With its format and full size known, and not yet decoded.

    Raises:
        TooManyPixels: It has more pixels, or is longer or thinner, than any camera's picture.
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
    """Return the error for a picture with more than `most` megapixels."""
    return TooManyPixels(f"The picture is too large: at most {most} megapixels.{found}")


def estimate(image: Image.Image, full_size: tuple[int, int], scans: int, size: int) -> float:
    """Estimate the processor time of decoding a picture, in seconds on this project's machine.

    Args:
        image: With the size at which it will be decoded, and not yet decoded.
        full_size: Its size before a reduced scale was chosen.
        scans: The number of scans of a JPEG.
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
