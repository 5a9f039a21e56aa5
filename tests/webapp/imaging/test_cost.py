"""The cost estimate sends slow pictures to the slow lane, and a phone's JPEG to the quick one."""

from typing import Any

import pytest
from PIL import Image

from tests import specimen
from tests.webapp import hostile
from webapp.decoding.pool import QUICK, SLOW
from webapp.imaging import cost
from webapp.imaging.preprocessing import at_reduced_scale, open_header, open_upright


def estimate(data: bytes) -> float:
    header = open_header(data)
    full = header.size
    return cost.estimate(at_reduced_scale(header), full, header.info.get("scans", 1), len(data))


@pytest.mark.parametrize(
    ("size", "file_format", "options"),
    [
        ((4000, 3000), "JPEG", {}),
        ((5712, 4284), "JPEG", {}),
        ((2000, 1500), "JPEG", {"progressive": True}),
        ((1600, 1200), "PNG", {}),
        ((1600, 1200), "WEBP", {}),
        ((1600, 1200), "AVIF", {"speed": 10}),
    ],
)
def test_usual_pictures_are_quick(
    size: tuple[int, int], file_format: str, options: dict[str, Any]
) -> None:
    data = specimen.encode(Image.new("RGB", size, "green"), file_format, **options)
    assert estimate(data) < QUICK.most_estimated


@pytest.mark.parametrize(
    ("size", "file_format", "options"),
    [
        ((8000, 6000), "JPEG", {"progressive": True}),
        ((4000, 3000), "PNG", {}),
        ((4000, 3000), "WEBP", {}),
        ((4000, 3000), "AVIF", {"speed": 10}),
        ((7000, 7000), "GIF", {}),
        ((7000, 7000), "TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_pictures_that_take_long_are_slow_and_still_answered(
    size: tuple[int, int], file_format: str, options: dict[str, Any]
) -> None:
    data = specimen.encode(Image.new("RGB", size, "green"), file_format, **options)
    assert QUICK.most_estimated < estimate(data) < SLOW.most_estimated


def test_a_bmp_of_run_lengths_costs_by_its_runs_too() -> None:
    small = hostile.run_lengths(300, b"\x64\x01\x64\x02\x64\x03\0\0" * 300)
    many = hostile.run_lengths(3150, b"\x01\x05" * 9_000_000)
    padded = hostile.run_lengths(7000, b"\x01\x05\0\0" * 7000)
    assert open_upright(small).size == (300, 300)
    assert estimate(small) < QUICK.most_estimated
    assert min(estimate(many), estimate(padded)) > SLOW.most_estimated


def test_each_scan_of_a_jpeg_counts() -> None:
    image = open_header(specimen.encode(Image.new("L", (64, 64)), "JPEG"))
    huge = (12_000, 10_000)
    ten, hundred = (cost.estimate(image, huge, scans, 1_000_000) for scans in (10, 100))
    assert ten < SLOW.most_estimated < hundred
