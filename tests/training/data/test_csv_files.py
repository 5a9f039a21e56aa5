"""CSV files about photos: the manifest, and files as spreadsheets save them."""

from pathlib import Path

import pytest

from training.data import csv_files, dataset


def test_a_byte_order_mark_and_a_short_row_are_no_errors(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("file,side\n5/a-1.jpg\n", encoding="utf-8-sig")
    assert list(csv_files.rows(file, "file")) == [(2, {"file": "5/a-1.jpg", "side": ""})]


def test_a_short_row_of_a_manifest_says_nothing_of_its_photo(folder: Path) -> None:
    (folder / "manifest.csv").write_text("other_kind,file\ncoin,Other/a-1.jpg\ncoin\n")
    kinds = {photo.path.name: photo.kind for photo in dataset.scan(folder, {}, ["5", "10"])}
    assert (kinds["a-1.jpg"], kinds["a-2.jpg"]) == ("coin", "")


@pytest.mark.parametrize(
    "content",
    [b"name;price\nlamp;3\n", "Größe;Preis\n".encode("latin-1"), b"x" * 200_000],
    ids=["other columns", "Latin-1", "no CSV"],
)
def test_a_manifest_above_the_photos_that_is_of_something_else_is_ignored(
    folder: Path, content: bytes
) -> None:
    photos = folder / "photos"
    photos.mkdir()
    for label in ("5", "10", "Other"):
        (folder / label).rename(photos / label)
    (folder / "manifest.csv").write_bytes(content)
    assert dataset.counts(dataset.scan(photos, {}, [])) == {"5": 10, "10": 10, "Other": 10}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,side\n\xff,front\n", "manifest.csv is not UTF-8"),
        (b"x" * 200_000, "manifest.csv is no CSV"),
        (
            b"name,side\n5/a-1.jpg,front\n",
            r"has no columns file\. Expected file\. Received: name, side\.",
        ),
    ],
    ids=["not UTF-8", "no CSV", "no column file"],
)
def test_a_manifest_that_cannot_be_used_is_refused_by_name(
    folder: Path, content: bytes, message: str
) -> None:
    (folder / "manifest.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        dataset.scan(folder, {}, [])
