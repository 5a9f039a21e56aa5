"""The pictures of a drill: drawn by default, otherwise photos of each class."""

import io
from pathlib import Path

from PIL import Image

from bench.drill.pictures import ASKED_COUNT, TAUGHT_COUNT, drawn, of_folders
from tests.training.conftest import save_bills


def test_without_photos_a_new_ten_is_drawn_and_no_two_pictures_are_the_same() -> None:
    pictures = drawn()
    assert (len(pictures.taught), len(pictures.asked)) == (TAUGHT_COUNT, ASKED_COUNT)
    new = [*pictures.taught, *pictures.asked]
    assert {picture.label for picture in new} == {"10"}
    assert len({picture.data for picture in new}) == len(new)
    assert {picture.label for picture in pictures.old} == {"5", "50", "Other"}
    assert pictures.known_only
    with Image.open(io.BytesIO(new[0].data)) as photo:
        assert photo.size == (224, 224)


def test_photos_that_are_given_are_divided_into_those_to_teach_and_those_to_ask(
    tmp_path: Path,
) -> None:
    save_bills(tmp_path, "10", *(f"a-{n}.jpg" for n in range(10)))
    pictures = of_folders(tmp_path, None, tmp_path, ["5", "Other"])
    assert (len(pictures.taught), len(pictures.asked)) == (6, 4)
    assert not {p.data for p in pictures.taught} & {p.data for p in pictures.asked}


def test_what_lies_beside_the_new_design_is_to_stay_known(tmp_path: Path) -> None:
    for name, label in (("new", "10"), ("asked", "10"), ("asked", "Other"), ("old", "2")):
        save_bills(tmp_path / name, label, *(f"a-{n}.jpg" for n in range(5)))
    new, asked, old = (tmp_path / name for name in ("new", "asked", "old"))
    pictures = of_folders(new, asked, old, ["5", "Other"])
    assert (len(pictures.taught), len(pictures.asked)) == (5, 5)
    assert [picture.label for picture in pictures.old] == ["Other"] * 5
    assert [picture.label for picture in pictures.beside] == ["Other"] * 5
    assert not pictures.known_only
