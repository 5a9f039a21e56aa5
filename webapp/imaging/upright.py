"""Converts a decoded picture of any mode and orientation to upright, 8-bit RGB.

The modes are Pillow's: CMYK, palettes, 16 bits, floats, transparency.
"""

from __future__ import annotations

import math

from PIL import Image

from webapp.imaging.errors import DamagedImage

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright_rgb(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to `RGB`, and turn it upright by its EXIF orientation.

    Args:
        image: Decoded; deep grey is scaled to eight bits, and transparent parts become white.

    Raises:
        DamagedImage: It has pixels that are not numbers.
    """
    rgb = _to_rgb(image)
    turn = _TURNS.get(_orientation(image))
    return rgb if turn is None else rgb.transpose(turn)


def _orientation(image: Image.Image) -> int:
    # A broken EXIF block does not affect the pixels: the picture is then not turned.
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_grey_to_8_bit(image).convert("RGB")
    if image.has_transparency_data and not _is_unused_alpha(image):
        return _over_white(image if image.mode == "RGBA" else image.convert("RGBA"))
    return image.convert("RGB") if image.mode != "RGB" else image


def _is_unused_alpha(image: Image.Image) -> bool:
    # Programs leave the fourth byte of a BMP's pixels at zero, which would make it invisible.
    return image.format == "BMP" and image.getchannel("A").getextrema() == (0, 0)


def _deep_grey_to_8_bit(image: Image.Image) -> Image.Image:
    # Pillow clips deep grey at 255. 32-bit files do not define their white point: use the lowest
    # usual white point that is not below their brightest pixel.
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
