"""Every kind of photo becomes the same upright picture; any other file gets one clear error."""

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import specimen
from webapp.imaging.errors import (
    BadImage,
    DamagedImage,
    NotAnImage,
    TooManyPixels,
    UnsupportedImage,
)
from webapp.imaging.preprocessing import (
    COUNT_SIZE,
    IMAGE_SIZE,
    at_reduced_scale,
    decode,
    frame_in_square,
    letterboxed,
    open_header,
    open_upright,
    to_tensor,
)

BILL = specimen.bill("20", width=320)
HEIC = (Path(__file__).parents[1] / "specimen.heic").read_bytes()

# How a camera that was held in each EXIF orientation stores an upright scene.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def difference(image: Image.Image, expected: Image.Image = BILL) -> float:
    """Mean absolute difference of two pictures of one size, in grey levels."""
    assert image.mode == "RGB"
    assert image.size == expected.size
    return float(np.abs(np.asarray(image, int) - np.asarray(expected, int)).mean())


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "JPEG", "WEBP", "AVIF", "GIF"])
def test_reads_every_accepted_format(file_format: str) -> None:
    assert difference(open_upright(specimen.encode(BILL, file_format))) < 8


def test_reads_heic_as_phones_write_it() -> None:
    assert difference(open_upright(HEIC)) < 3


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_turns_every_exif_orientation_upright(orientation: int, file_format: str) -> None:
    turn = STORED[orientation]
    stored = BILL if turn is None else BILL.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert difference(open_upright(specimen.encode(stored, file_format, exif=exif))) < 8


def test_a_broken_exif_block_does_not_refuse_the_picture() -> None:
    data = specimen.encode(BILL, "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert difference(open_upright(data)) == 0


def test_takes_the_first_picture_of_an_animation() -> None:
    second = specimen.other(width=320)
    data = specimen.encode(BILL, "GIF", save_all=True, append_images=[second], duration=100)
    assert difference(open_upright(data)) < 8


def test_cmyk_is_converted() -> None:
    data = specimen.encode(BILL.convert("CMYK"), "JPEG", quality=95)
    assert difference(open_upright(data)) < 4


@pytest.mark.parametrize("kept", [0.1, 0.6])
def test_a_truncated_cmyk_picture_is_called_damaged(kept: float) -> None:
    whole = specimen.encode(BILL.convert("CMYK"), "JPEG")
    with pytest.raises(DamagedImage, match="damaged"):
        open_upright(whole[: int(len(whole) * kept)])


def bmp_with_alpha(colour: tuple[int, int, int], alpha: int) -> bytes:
    """A BMP of one colour with a BITMAPV5HEADER, whose fourth mask is that of transparency."""
    pixels = bytes([*reversed(colour), alpha]) * 8 * 4
    masks = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
    sizes = struct.pack("<IiiHHIIiiII", 124, 8, 4, 1, 32, 3, len(pixels), 2835, 2835, 0, 0)
    header = (sizes + struct.pack("<5I", *masks, 0x73524742)).ljust(124, b"\0")
    return struct.pack("<2sIHHI", b"BM", 138 + len(pixels), 0, 0, 138) + header + pixels


@pytest.mark.parametrize(("alpha", "seen"), [(0, (200, 20, 10)), (255, (200, 20, 10))])
def test_a_bmp_whose_fourth_byte_is_unused_is_no_white_sheet(
    alpha: int, seen: tuple[int, int, int]
) -> None:
    opened = open_upright(bmp_with_alpha((200, 20, 10), alpha))
    assert opened.getcolors() == [(8 * 4, seen)]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I", "F", "CMYK", "YCbCr", "LAB"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = Image.new("LAB", (9, 9)) if mode == "LAB" else BILL.convert(mode)
    assert open_upright(specimen.encode(image, "TIFF")).mode == "RGB"


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_down_not_clipped(file_format: str) -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    opened = open_upright(specimen.encode(Image.fromarray(ramp), file_format))
    assert np.array_equal(np.asarray(opened)[..., 0].ravel(), np.arange(256))


def test_float_grey_from_0_to_1_is_scaled_up() -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    opened = open_upright(specimen.encode(Image.fromarray(ramp), "TIFF"))
    assert np.array_equal(np.asarray(opened)[..., 0].ravel(), np.arange(256))


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_transparent_parts_become_white(file_format: str) -> None:
    clear = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    opened = open_upright(specimen.encode(clear, file_format, lossless=True))
    assert opened.getextrema() == ((255, 255),) * 3


def test_a_transparent_palette_colour_becomes_white() -> None:
    red = Image.new("RGB", (8, 8), "red").quantize(2)
    data = specimen.encode(red, "PNG", transparency=red.getpixel((0, 0)))
    assert open_upright(data).getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize(
    "file_format", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "HEIC"]
)
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
def test_a_truncated_picture_is_called_damaged(file_format: str, kept: float) -> None:
    whole = HEIC if file_format == "HEIC" else specimen.encode(BILL, file_format)
    with pytest.raises(DamagedImage, match="damaged"):
        open_upright(whole[: int(len(whole) * kept)])


@pytest.mark.parametrize("data", [b"", b"Pay to the bearer on demand", bytes(1000)])
def test_bytes_that_are_no_picture_are_refused(data: bytes) -> None:
    with pytest.raises(NotAnImage):
        open_upright(data)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"%PDF-1.7 ...", "PDF"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "video"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0", "video"),
        (b"RIFF\0\0\0\0WAVEfmt ", "sound"),
        (b"PK\x03\x04...", "ZIP"),
        (b"\0\0\1\0\1\0", "icon"),
    ],
)
def test_other_kinds_of_file_are_named(start: bytes, kind: str) -> None:
    with pytest.raises(UnsupportedImage, match=kind):
        open_upright(start)


def test_a_format_that_pillow_knows_but_we_do_not_accept_is_refused() -> None:
    with pytest.raises(BadImage):
        open_upright(specimen.encode(BILL, "PPM"))


@pytest.mark.parametrize(
    ("size", "why"),
    [
        ((10_000, 6_000), "50 megapixels"),
        ((15_000, 10_000), "megapixels"),
        ((20_000, 20_000), "megapixels"),
        ((20_001, 1_000), "20,000 pixels a side"),
        ((1, 15_999_999), "20,000 pixels a side"),
        ((51, 1), "50 times as long as wide"),
        ((2, 101), "50 times as long as wide"),
    ],
)
def test_too_many_pixels_and_odd_shapes_are_refused_from_the_header(
    size: tuple[int, int], why: str
) -> None:
    header_only = specimen.encode(Image.new("1", size), "PNG")[:200]
    with pytest.raises(TooManyPixels, match=why):
        open_upright(header_only)


def test_the_thinnest_picture_is_read() -> None:
    assert open_upright(specimen.encode(Image.new("L", (50, 1)), "PNG")).size == (50, 1)


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP", "TIFF", "WEBP", "JPEG"])
def test_a_bomb_of_any_format_is_refused_from_its_header(file_format: str) -> None:
    options: dict[str, dict[str, Any]] = {
        "TIFF": {"compression": "group4"},
        "WEBP": {"method": 0},
    }
    mode = "RGB" if file_format == "WEBP" else "L" if file_format == "JPEG" else "1"
    size = (12_000, 10_001) if file_format == "JPEG" else (8_000, 6_251)
    bomb = specimen.encode(Image.new(mode, size), file_format, **options.get(file_format, {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(TooManyPixels, match=f"{size[0]} x {size[1]}"):
            open_header(bomb)


@pytest.mark.parametrize("size", [(8_000, 6_000), (9_248, 6_936), (9_249, 6_935)])
def test_a_jpeg_of_48_and_64_megapixels_is_read_at_a_reduced_scale(size: tuple[int, int]) -> None:
    data = specimen.encode(Image.new("L", size, 77), "JPEG")
    reduced = decode(at_reduced_scale(open_header(data)))
    assert max(reduced.size) <= size[0] // 8 + 1
    assert reduced.getextrema() == ((77, 77),) * 3


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["sequential", "progressive"])
@pytest.mark.parametrize("lost", [2, 40])
def test_a_jpeg_without_its_last_bytes_is_read(options: dict[str, Any], lost: int) -> None:
    whole = specimen.encode(BILL, "JPEG", **options)
    assert difference(open_upright(whole[:-lost]), open_upright(whole)) < 1


def test_a_progressive_jpeg_that_lacks_its_details_is_called_damaged() -> None:
    whole = specimen.encode(BILL, "JPEG", progressive=True)
    with pytest.raises(DamagedImage, match="details are missing"):
        open_upright(whole[: len(whole) // 5])


def test_a_whole_jpeg_with_a_grey_lower_half_is_read() -> None:
    half = Image.new("RGB", (320, 240), (128, 128, 128))
    half.paste("red", (0, 0, 320, 120))
    assert open_upright(specimen.encode(half, "JPEG") + b"what follows").size == (320, 240)


def test_infinite_grey_is_called_damaged() -> None:
    infinite = Image.fromarray(np.full((8, 8), np.inf, np.float32))
    with pytest.raises(DamagedImage, match="not numbers"):
        open_upright(specimen.encode(infinite, "TIFF"))


def test_the_tensor_holds_the_whole_picture_stretched_to_a_square() -> None:
    halves = Image.new("RGB", (600, 100), "black")
    halves.paste("white", (300, 0, 600, 100))
    tensor = to_tensor(halves)
    assert tensor.shape == (IMAGE_SIZE, IMAGE_SIZE, 3)
    assert tensor.dtype == np.uint8
    assert tensor[:, :110].max() == 0
    assert tensor[:, 114:].min() == 255


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        ((4000, 3000), (500, 375)),
        ((3468, 4624), (867, 1156)),
        ((1152, 864), (576, 432)),
        ((1151, 864), (1151, 864)),
        ((3000, 400), (3000, 400)),
        ((640, 480), (640, 480)),
    ],
)
def test_a_jpeg_is_decoded_no_larger_than_needed(
    size: tuple[int, int], kept: tuple[int, int]
) -> None:
    data = specimen.encode(Image.new("RGB", size, "green"), "JPEG")
    assert decode(at_reduced_scale(open_header(data))).size == kept
    assert decode(open_header(data)).size == size


def test_reduced_decoding_applies_the_orientation_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = specimen.encode(Image.new("L", (4000, 3000)), "JPEG", exif=exif)
    reduced = decode(at_reduced_scale(open_header(data)))
    assert (reduced.mode, reduced.size) == ("RGB", (375, 500))


@pytest.mark.parametrize("width", [896, 1152, 1600, 2000])
def test_the_tensor_of_a_jpeg_decoded_smaller_is_nearly_the_same(width: int) -> None:
    data = specimen.encode(specimen.bill("50", width=width, angle=23), "JPEG", quality=90)
    reduced = to_tensor(decode(at_reduced_scale(open_header(data)))).astype(int)
    apart = np.abs(reduced - to_tensor(open_upright(data)))
    # The drawing's hairlines are the worst case; in photos it is a third of that.
    assert apart.mean() < 1.2
    assert apart.max() <= 24


def test_a_truncated_jpeg_is_called_damaged_at_reduced_scale_too() -> None:
    data = specimen.encode(specimen.bill("50", width=1600), "JPEG")
    with pytest.raises(DamagedImage, match="damaged"):
        decode(at_reduced_scale(open_header(data[: len(data) // 2])))


def test_the_tensor_equals_what_the_model_graph_computes() -> None:
    tf = pytest.importorskip("tensorflow", reason="compares with tf.image.resize")
    image = specimen.bill("50", width=700, angle=23)
    pixels = np.asarray(image, np.float32)
    graph = tf.image.resize(pixels, (IMAGE_SIZE, IMAGE_SIZE), "bilinear", antialias=True)
    assert np.abs(to_tensor(image) - graph.numpy()).max() <= 1.0


def test_specimens_are_deterministic() -> None:
    again = Image.open(io.BytesIO(specimen.encode(specimen.bill("20", width=320), "PNG")))
    assert difference(again) == 0


@pytest.mark.parametrize(
    ("size", "frame"),
    [
        ((4000, 3000), (0, 56, 448, 336)),
        ((300, 400), (56, 0, 336, 448)),
        ((448, 448), (0, 0, 448, 448)),
        ((1000, 20), (0, 219, 448, 9)),
    ],
)
def test_the_counters_square_holds_the_whole_photo_centred_and_black_around_it(
    size: tuple[int, int], frame: tuple[int, int, int, int]
) -> None:
    left, top, width, height = frame
    square = letterboxed(Image.new("RGB", size, "white"))
    assert frame_in_square(*size) == frame
    assert square.size == (COUNT_SIZE, COUNT_SIZE)
    assert square.getbbox() == (left, top, left + width, top + height)
    assert square.getpixel((left, top)) == (255, 255, 255)


def test_a_photo_of_the_counters_size_is_not_touched() -> None:
    photo = specimen.bill("20", width=448)
    left, top, width, height = frame_in_square(*photo.size)
    inner = letterboxed(photo).crop((left, top, left + width, top + height))
    assert inner.tobytes() == photo.tobytes()


def test_a_square_photo_is_decoded_large_enough_for_the_counter() -> None:
    header = open_header(specimen.encode(Image.new("RGB", (2720, 2720)), "JPEG"))
    assert at_reduced_scale(header, longest=COUNT_SIZE).size == (680, 680)
    header = open_header(specimen.encode(Image.new("RGB", (4000, 3000)), "JPEG"))
    assert at_reduced_scale(header, longest=COUNT_SIZE).size == (500, 375)
