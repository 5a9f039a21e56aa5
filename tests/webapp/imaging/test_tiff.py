"""A TIFF's first directory shows the cost of reading it; real files are far below the limits."""

import pytest

from tests import specimen
from tests.webapp import hostile
from webapp.imaging.errors import BadImage, DamagedImage, TooCostly
from webapp.imaging.preprocessing import open_upright
from webapp.imaging.tiff import MAX_FIELDS, MAX_STRIPS, check_directory

BILL = specimen.bill("20", width=320)


@pytest.mark.parametrize("options", [{}, {"big_tiff": True}, {"compression": "tiff_lzw"}])
def test_a_tiff_is_read(options: dict[str, object]) -> None:
    assert open_upright(specimen.encode(BILL, "TIFF", **options)).size == BILL.size


def test_a_strip_for_each_row_is_read() -> None:
    assert open_upright(hostile.strips_at_one_place(20_000, behind=0)).size == (1000, 20_000)


@pytest.mark.parametrize("tag", [273, 324], ids=["strips", "tiles"])
def test_more_strips_or_tiles_than_anybody_writes_are_refused(tag: int) -> None:
    data = hostile.strips_at_one_place(MAX_STRIPS + 1, behind=0)
    data = data.replace(b"\x11\x01\x04\0", tag.to_bytes(2, "little") + b"\x04\0", 1)
    with pytest.raises(TooCostly, match="strips"):
        open_upright(data)


def test_more_fields_than_anybody_writes_are_refused() -> None:
    with pytest.raises(TooCostly, match="fields"):
        open_upright(hostile.many_fields(MAX_FIELDS + 1))
    with pytest.raises(BadImage) as refused:
        open_upright(hostile.many_fields(MAX_FIELDS))
    assert not isinstance(refused.value, TooCostly)


def test_a_tiff_that_ends_early_is_called_damaged() -> None:
    # Its directory lies behind its pixels.
    whole = specimen.encode(BILL, "TIFF")
    for end in (6, 8, 100, len(whole) - 60):
        check_directory(whole[:end])
        with pytest.raises(DamagedImage):
            open_upright(whole[:end])
