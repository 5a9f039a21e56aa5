"""Folders of photos: classes, balance, and the errors for unusable folders."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import save_bills
from training.data import dataset
from training.data.dataset import Photo
from training.data.inspect import look


def test_sub_folders_are_the_classes_numbers_first_and_by_value(folder: Path) -> None:
    assert dataset.classes_of(dataset.scan(folder, {}, [])) == ["5", "10", "Other"]


def test_a_sub_folder_can_count_as_another_class_or_be_left_out(folder: Path) -> None:
    save_bills(folder, "2", "a-1.jpg", "a-2.jpg")
    photos = dataset.scan(folder, {"2": "Other"}, ["5"])
    assert dataset.counts(photos) == {"10": 10, "Other": 12}


def test_the_source_is_the_file_name_up_to_its_last_hyphen(folder: Path) -> None:
    assert {photo.source for photo in dataset.scan(folder, {}, [])} == {"a", "b"}


def test_a_manifest_says_what_an_other_shows(folder: Path) -> None:
    (folder / "manifest.csv").write_text("file,other_kind\nOther/a-1.jpg,object\n")
    kinds = {p.path.name: p.kind for p in dataset.scan(folder, {}, []) if p.label == "Other"}
    assert kinds["a-1.jpg"] == "object"
    assert kinds["a-2.jpg"] == ""


def backgrounds(folder: Path, *labels: str) -> list[np.ndarray]:
    photos, pictures = dataset.load(dataset.scan(folder, {}, []))
    chosen = [n for n, photo in enumerate(photos) if photo.label in labels]
    return dataset.backgrounds([photos[n] for n in chosen], [pictures[n] for n in chosen])


def test_bills_lie_on_other_things_and_never_on_a_bill_of_another_class(folder: Path) -> None:
    photos, pictures = dataset.load(dataset.scan(folder, {}, []))
    others = [p for photo, p in zip(photos, pictures, strict=True) if photo.label == "Other"]
    assert [p.tobytes() for p in backgrounds(folder, "5", "10", "Other")] == [
        p.tobytes() for p in others
    ]
    assert len(backgrounds(folder, "5")) == 10
    assert backgrounds(folder, "5", "10") == dataset.PLAIN


def test_an_unreadable_file_is_named_and_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "5" / "broken-1.jpg").write_text("no picture")
    photos, pictures = dataset.load(dataset.scan(folder, {}, []))
    assert len(photos) == len(pictures) == 30
    assert "broken-1.jpg" in capsys.readouterr().err


@pytest.mark.parametrize("read", [dataset.load, dataset.tensors, dataset.readable, look])
def test_photos_of_which_none_can_be_read_are_refused(
    tmp_path: Path, read: Callable[[list[Photo]], object]
) -> None:
    (tmp_path / "5").mkdir()
    for name in ("a-1.jpg", "a-2.jpg"):
        (tmp_path / "5" / name).write_text("no picture")
    with pytest.raises(ValueError, match=r"None of the 2 photos can be read\."):
        read(dataset.scan(tmp_path, {}, []))


def test_a_photo_for_evaluation_is_the_very_tensor_that_the_front_end_sends(folder: Path) -> None:
    from webapp.imaging.preprocessing import open_upright, to_tensor

    photos = dataset.scan(folder, {}, [])
    _, tensors = dataset.tensors(photos[:3])
    expected = [to_tensor(open_upright(photo.path.read_bytes())) for photo in photos[:3]]
    np.testing.assert_array_equal(tensors, expected)


def test_a_class_without_pictures_is_refused_and_not_left_out(folder: Path) -> None:
    (folder / "50" / "nested").mkdir(parents=True)
    (folder / "50" / "notes.txt").write_text("no picture")
    with pytest.raises(ValueError, match=r"No pictures in .*50\. Expected files .* --skip"):
        dataset.scan(folder, {}, [])
    assert dataset.classes_of(dataset.scan(folder, {}, ["50"])) == ["5", "10", "Other"]


def test_a_folder_that_is_missing_or_empty_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere is no folder"):
        dataset.scan(tmp_path / "nowhere", {}, [])
    with pytest.raises(ValueError, match="no sub-folders with pictures"):
        dataset.scan(tmp_path, {}, [])
