"""Metadata that no pixel depends on is removed, whatever its size and number; pixels stay equal."""

import io

import pytest
from PIL import Image

from tests import specimen
from tests.webapp import hostile
from webapp.imaging.errors import DamagedImage, TooCostly
from webapp.imaging.jpeg import MAX_SEGMENTS
from webapp.imaging.metadata import MAX_BLOCKS, without_metadata
from webapp.imaging.preprocessing import open_upright

BILL = specimen.bill("20", width=160)


def same(first: bytes, second: bytes) -> bool:
    return open_upright(first).tobytes() == open_upright(second).tobytes()


@pytest.mark.parametrize("size", [10, 1_500_000])
def test_a_png_with_a_large_profile_and_a_large_text_is_read(size: int) -> None:
    plain = specimen.encode(BILL, "PNG")
    assert same(hostile.large_chunks(plain, size), plain)


def test_transparency_and_orientation_of_a_png_stay() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = specimen.encode(BILL.convert("P"), "PNG", transparency=0, exif=exif)
    trimmed = Image.open(io.BytesIO(without_metadata(data)))
    assert trimmed.info["transparency"] == 0
    assert trimmed.getexif()[0x0112] == 6


def test_a_png_of_more_chunks_than_anybody_writes_is_refused() -> None:
    assert open_upright(hostile.many_chunks(MAX_BLOCKS - 10)).size == (8, 8)
    with pytest.raises(TooCostly, match="chunks"):
        open_upright(hostile.many_chunks(MAX_BLOCKS))


def test_an_animated_png_gives_its_first_picture() -> None:
    second = specimen.other(width=160)
    data = specimen.encode(BILL, "PNG", save_all=True, append_images=[second])
    assert same(data, specimen.encode(BILL, "PNG"))


@pytest.mark.parametrize("blocks", [1, 70_000])
def test_a_gif_with_a_long_comment_is_read(blocks: int) -> None:
    assert open_upright(hostile.long_comment(blocks)).size == (8, 8)


@pytest.mark.parametrize("length", [1, 255])
def test_a_gif_of_more_blocks_than_anybody_writes_is_refused(length: int) -> None:
    with pytest.raises(TooCostly, match="blocks"):
        open_upright(hostile.long_comment(MAX_BLOCKS, length))


def test_the_transparent_colour_of_a_gif_stays() -> None:
    picture = BILL.convert("P")
    data = specimen.encode(
        picture, "GIF", transparency=picture.getpixel((0, 0)), comment=b"hello", optimize=False
    )
    trimmed = without_metadata(data)
    assert b"hello" not in trimmed
    kept, whole = (Image.open(io.BytesIO(each)).info["transparency"] for each in (trimmed, data))
    assert kept == whole


@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
def test_a_file_that_ends_early_is_called_damaged(file_format: str) -> None:
    whole = specimen.encode(BILL, file_format, comment=b"x" * 600)
    for end in (7, 12, 20, 40, 800):
        with pytest.raises(DamagedImage):
            open_upright(whole[:end])


JPEG = specimen.encode(BILL, "JPEG")
COMMENT, EXIF, TABLE = 0xFE, 0xE1, 0xDB


@pytest.mark.parametrize("marker", [COMMENT, EXIF, 0xE2, 0xEB, 0xED])
def test_comments_and_data_of_applications_do_not_change_a_jpeg(marker: int) -> None:
    long = hostile.with_segments(JPEG, 300, marker, b"x" * 65_000)
    assert len(without_metadata(long)) < 2 * len(JPEG)
    assert same(long, JPEG)


def test_colours_and_orientation_of_a_jpeg_stay() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for mode in ("L", "RGB", "CMYK"):
        data = specimen.encode(BILL.convert(mode), "JPEG", exif=exif, comment=b"hello")
        whole, trimmed = (Image.open(io.BytesIO(x)) for x in (data, without_metadata(data)))
        assert "comment" in whole.info.keys() - trimmed.info.keys()
        assert trimmed.tobytes() == whole.tobytes()
        assert trimmed.getexif()[0x0112] == 6


def test_the_first_exif_block_of_a_jpeg_counts_and_others_are_dropped() -> None:
    blocks = []
    for orientation in (6, 3):
        exif = Image.Exif()
        exif[0x0112] = orientation
        blocks.append(exif.tobytes())
    data = specimen.encode(BILL, "JPEG", exif=blocks[0])
    second = hostile.with_segments(b"\xff\xd8", 5_000, EXIF, blocks[1])
    start = data.index(b"\xff\xdb")
    trimmed = without_metadata(data[:start] + second[2:] + data[start:])
    assert trimmed == without_metadata(data)


def test_fill_bytes_between_segments_of_a_jpeg_are_dropped() -> None:
    filled = JPEG[:2] + b"\xff" * 10_000_000 + JPEG[2:]
    assert without_metadata(filled) == without_metadata(JPEG)
    assert same(filled, JPEG)


def test_a_jpeg_of_more_segments_than_anybody_writes_is_refused() -> None:
    table = b"\0" + bytes([1] * 64)
    assert same(hostile.with_segments(JPEG, MAX_SEGMENTS - 20, TABLE, table), JPEG)
    for marker, content in ((COMMENT, b""), (EXIF, b"Exif\0\0"), (TABLE, table)):
        with pytest.raises(TooCostly, match="segments"):
            open_upright(hostile.with_segments(JPEG, MAX_SEGMENTS, marker, content))


def test_segments_between_the_scans_of_a_jpeg_count_too() -> None:
    data = hostile.many_scans(3)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(TooCostly, match="segments"):
        open_upright(data[:last] + b"\xff\xfe\0\2" * MAX_SEGMENTS + data[last:])


@pytest.mark.parametrize("end", [3, 20, 400])
def test_a_jpeg_that_ends_before_its_picture_is_called_damaged(end: int) -> None:
    with pytest.raises(DamagedImage):
        open_upright(JPEG[:end])


@pytest.mark.parametrize("file_format", ["WEBP", "TIFF", "BMP"])
def test_other_formats_stay_as_they_are(file_format: str) -> None:
    data = specimen.encode(BILL, file_format)
    assert without_metadata(data) is data
