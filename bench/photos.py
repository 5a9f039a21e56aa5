"""Photos of any size, made from a sample picture of the page, so that a fresh clone has them."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image

from tests.support.servers import ROOT
from webapp.imaging.preprocessing import IMAGE_SIZE, open_upright

SAMPLE = ROOT / "webapp" / "static" / "samples" / "five.webp"
MEGAPIXEL = (1152, 864)
PHONE = (4000, 3000)
SQUARE = (IMAGE_SIZE, IMAGE_SIZE)


@cache
def jpeg(size: tuple[int, int]) -> bytes:
    """Returns a JPEG of `size`, width and height in pixels.

    Sensor-like grain and quality 90 make a twelve-megapixel file two to three megabytes large, like
    a phone's; an enlarged picture without grain would be far smaller. Narrower pictures are shrunk
    from the one of a megapixel, so that the model sees the same content in all of them.
    """
    file = io.BytesIO()
    if size[0] < MEGAPIXEL[0]:
        open_upright(jpeg(MEGAPIXEL)).resize(size).save(file, "JPEG", quality=90)
        return file.getvalue()
    enlarged = open_upright(SAMPLE.read_bytes()).resize(size)
    grain = np.random.default_rng(0).normal(0, 4, (size[1], size[0], 1)).astype(np.float32)
    pixels = np.clip(np.asarray(enlarged) + grain, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def of_megapixels(megapixels: float) -> tuple[int, int]:
    """Returns width and height, 4 to 3, of about `megapixels` and not more."""
    height = int((megapixels * 1e6 * 3 / 4) ** 0.5)
    return height * 4 // 3, height
