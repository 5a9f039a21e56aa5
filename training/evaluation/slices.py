"""The same photos under worse conditions, one condition at a time.

Training views mix all effects at random. A slice has one effect, always the same, so that its
figure shows the cost of that effect.
"""

import io
from collections.abc import Callable

from PIL import Image, ImageEnhance, ImageFilter

Change = Callable[[Image.Image], Image.Image]

TABLE = (118, 104, 92)


def turned(degrees: int) -> Change:
    """Turns the photo counter-clockwise; the new corners get the colour of a table."""
    return lambda photo: photo.rotate(
        degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=TABLE
    )


def left_half(photo: Image.Image) -> Image.Image:
    """Shows the left half of the photo alone."""
    return photo.crop((0, 0, photo.width // 2, photo.height))


def right_half(photo: Image.Image) -> Image.Image:
    """Shows the right half of the photo alone."""
    return photo.crop((photo.width // 2, 0, photo.width, photo.height))


def dark(photo: Image.Image) -> Image.Image:
    """Leaves a quarter of the light."""
    return ImageEnhance.Brightness(photo).enhance(0.25)


def blurred(photo: Image.Image) -> Image.Image:
    """Blurs by a radius of one hundredth of the longer side."""
    return photo.filter(ImageFilter.GaussianBlur(max(photo.size) / 100))


def far(photo: Image.Image) -> Image.Image:
    """Makes the photo fill two fifths of a wider picture's sides."""
    wide = Image.new("RGB", (photo.width * 5 // 2, photo.height * 5 // 2), TABLE)
    wide.paste(photo, (photo.width * 3 // 4, photo.height * 3 // 4))
    return wide


def jpeg_30(photo: Image.Image) -> Image.Image:
    """Saves the photo as a JPEG of quality 30."""
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=30)
    return Image.open(file).convert("RGB")


SLICES: dict[str, Change] = {
    "as it is": lambda photo: photo,
    **{f"turned by {degrees}": turned(degrees) for degrees in range(30, 360, 30)},
    "left half": left_half,
    "right half": right_half,
    "dark": dark,
    "blurred": blurred,
    "small in the frame": far,
    "JPEG quality 30": jpeg_30,
}
