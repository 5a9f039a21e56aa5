"""A file that says where whole bills lie in photos."""

from pathlib import Path

import pytest

from training.data import corners
from training.data.dataset import Photo

HEADER = "file,x1,y1,x2,y2,x3,y3,x4,y4\n"
PHOTO = Photo(Path("photos/20/a-1.png"), "20", "a")


def written(folder: Path, text: str) -> Path:
    file = folder / "corners.csv"
    file.write_text(text)
    return file


def test_a_line_names_a_photo_and_the_corners_of_the_bill_in_it(tmp_path: Path) -> None:
    (marked,) = corners.read(written(tmp_path, f"{HEADER}20/a-1.png,0,0,1,0,1,0.5,0,0.5\n"))
    assert (marked.name, marked.side) == (corners.name_of(PHOTO), "")
    assert marked.corners.tolist() == [[0, 0], [1, 0], [1, 0.5], [0, 0.5]]


def test_no_file_is_fine_where_none_is_named() -> None:
    assert corners.checked(None, [PHOTO]) is None


def test_a_mark_in_a_photo_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, f"{HEADER}20/b-1.png,0,0,1,0,1,1,0,1\n")
    with pytest.raises(ValueError, match=r"marks 20/b-1\.png, which is not among the photos"):
        corners.checked(file, [PHOTO])


def test_a_file_that_a_spreadsheet_saved_with_a_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "corners.csv"
    file.write_text(f"{HEADER}20/a-1.png,0,0,1,0,1,1,0,1\n", encoding="utf-8-sig")
    assert [marked.name for marked in corners.read(file)] == ["20/a-1.png"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("20/a-1.png,0,0,1", r"line 2: y2 is ''\. Expected a share"),
        ("20/a-1.png,0,0,1,0,,1,0,1", r"line 2: x3 is ''\. Expected a share"),
        ("20/a-1.png,0,0,412,0,412,175,0,175", r"line 2: x2 is '412'\. Expected a share"),
        ("20/a-1.png,0,0,nan,0,1,1,0,1", r"line 2: x2 is 'nan'\. Expected a share"),
    ],
    ids=["short", "empty", "pixels", "no number"],
)
def test_a_corner_that_is_no_share_of_the_photo_is_named_with_its_line(
    tmp_path: Path, row: str, message: str
) -> None:
    with pytest.raises(ValueError, match=rf"corners\.csv, {message}"):
        corners.read(written(tmp_path, f"{HEADER}{row}\n"))


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no columns x4, y4\. Expected file"):
        corners.read(written(tmp_path, "file,x1,y1,x2,y2,x3,y3\n"))
