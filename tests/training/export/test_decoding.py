"""Files in `serve_bytes`: decoded as the front end does, or refused before they take memory."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import specimen
from tests.training.export.exported import Exported
from webapp.imaging.preprocessing import at_reduced_scale, decode, open_header, to_tensor

BILL = specimen.bill("20", width=700)
JPEG = specimen.encode(BILL, "JPEG")


@pytest.fixture(scope="module")
def shipped() -> Exported:
    return Exported(Path("models/us_bills/1"))


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int) -> bytes:
    """A whole PNG of one bit a pixel, a few kilobytes."""
    return encode(Image.new("1", (width, height)), "PNG")


def by_class(answer: dict[str, np.ndarray], place: int = 0) -> dict[bytes, float]:
    return dict(zip(answer["classes"][place], answer["probabilities"][place], strict=True))


def assert_as_front_end(shipped: Exported, file: bytes, atol: float = 0.005) -> None:
    tensor = to_tensor(decode(at_reduced_scale(open_header(file))))
    expected = by_class(shipped.ask("serving_default", tensor[None]))
    found = by_class(shipped.files(file))
    assert found == pytest.approx(expected, abs=atol)


@pytest.mark.parametrize("size", [(224, 224), (168, 300), (1344, 1008), (2688, 2688), (4000, 3001)])
def test_a_jpeg_is_reduced_as_the_front_end_does(shipped: Exported, size: tuple[int, int]) -> None:
    assert_as_front_end(shipped, encode(BILL.resize(size), "JPEG"))


def test_a_phones_jpeg_of_48_megapixels_is_answered(shipped: Exported) -> None:
    file = encode(BILL.resize((8064, 6048)), "JPEG", quality=60)
    assert_as_front_end(shipped, file, atol=0.02)


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "RGBA"])
def test_a_bmp_is_read_by_its_table_of_colors(shipped: Exported, mode: str) -> None:
    assert_as_front_end(shipped, encode(BILL.convert(mode), "BMP"))


@pytest.mark.parametrize("frames", [1, 3])
def test_a_gif_is_its_first_frame(shipped: Exported, frames: int) -> None:
    others = [BILL.rotate(90 * n).convert("P") for n in range(1, frames)]
    first = BILL.convert("P")
    file = encode(first, "GIF", save_all=True, append_images=others, comment=b"c" * 700)
    assert_as_front_end(shipped, file)


def test_frames_behind_the_first_are_not_looked_at(shipped: Exported) -> None:
    whole = encode(BILL.convert("P"), "GIF")
    end = whole.rindex(b"\x00;")
    # A second frame of 65,535 x 65,535 pixels without any pixel in it.
    huge = b"\x00," + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\x00\x02\x00;"
    expected = shipped.files(whole)["probabilities"]
    np.testing.assert_array_equal(shipped.files(whole[:end] + huge)["probabilities"], expected)


def huge_gif() -> bytes:
    """One whose screen is small and whose first frame is not."""
    file = bytearray(encode(Image.new("P", (8, 8)), "GIF"))
    at = file.index(b",", 13 + 3 * 2 ** (1 + file[10] % 8))
    file[at + 5 : at + 9] = struct.pack("<HH", 50000, 50000)
    return bytes(file)


def bmp_header(width: int, height: int, bits: int = 24, packed: int = 0) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packed, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


def jpeg_of_many_scans() -> bytes:
    """A progressive JPEG with its last scan five hundred times."""
    file = encode(BILL.resize((600, 400)), "JPEG", progressive=True)
    last = file.rindex(b"\xff\xda")
    return file[:last] + 500 * file[last:-2] + b"\xff\xd9"


TOO_LARGE = "should have sides of 1 to 20000 pixels and at most 16 megapixels."
REFUSED = {
    "nothing": (b"", "is no JPEG, PNG, GIF or BMP."),
    "text": (b"hello", "is no JPEG, PNG, GIF or BMP."),
    "another format": (encode(BILL, "WEBP"), "is no JPEG, PNG, GIF or BMP."),
    "a PNG of 64 megapixels": (png(8000, 8000), f"{TOO_LARGE} Its height and width:] [8000 8000]"),
    "a column": (png(1, 20001), f"{TOO_LARGE} Its height and width:] [20001 1]"),
    "a row": (png(20001, 1), f"{TOO_LARGE} Its height and width:] [1 20001]"),
    "a cut PNG header": (png(8, 8)[:20], "ends within its header."),
    "a huge frame": (huge_gif(), f"{TOO_LARGE} Its height and width:] [50000 50000]"),
    "a huge BMP": (bmp_header(8000, -8000), f"{TOO_LARGE} Its height and width:] [8000 8000]"),
    "no BMP size": (bmp_header(0, 5), f"{TOO_LARGE} Its height and width:] [5 0]"),
    "a BMP of 1 bit": (encode(BILL.convert("1"), "BMP"), "Bits and compression:] [1] [0]"),
    "a packed BMP": (bmp_header(8, 8, 8, packed=1), "Bits and compression:] [8] [1]"),
    "many scans": (jpeg_of_many_scans(), "has too many scans."),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_from_its_header_is_named_by_its_place(
    shipped: Exported, what: str
) -> None:
    file, words = REFUSED[what]
    error = shipped.error("serve_bytes", np.array([JPEG, JPEG, file, JPEG], np.object_))
    assert error.startswith("INVALID_ARGUMENT: assertion failed: [image_bytes: picture 3 of 4]")
    assert words in error


def test_a_damaged_picture_is_refused_with_its_size_in_bytes(shipped: Exported) -> None:
    file = encode(BILL, "PNG")
    error = shipped.error("serve_bytes", np.array([JPEG, file[:5000]], np.object_))
    assert error.startswith("INVALID_ARGUMENT: Invalid PNG data, size 5000")
    for cut in (JPEG[:3], JPEG[:3000], encode(BILL.convert("P"), "GIF")[:900]):
        assert shipped.error("serve_bytes", np.array([cut], np.object_)).startswith("INVALID_ARG")


def test_a_png_whose_pixels_are_fewer_than_promised_is_refused(shipped: Exported) -> None:
    file = png(4000, 4000)
    short = zlib.compress(b"\x00" * 100)
    idat = struct.pack(">I", len(short)) + b"IDAT" + short
    idat += struct.pack(">I", zlib.crc32(b"IDAT" + short))
    broken = file[:33] + idat + file[-12:]
    assert shipped.error("serve_bytes", np.array([broken], np.object_)).startswith("INVALID_ARG")
