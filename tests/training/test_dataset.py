"""Folders of photos: classes, split, balance, and what is said of folders that will not do."""

from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from tests import specimen
from training import dataset


def save(folder: Path, label: str, *names: str) -> None:
    (folder / label).mkdir(parents=True, exist_ok=True)
    for name in names:
        seed = crc32(f"{label}/{name}".encode())
        drawn = specimen.bill(label, width=96, angle=seed % 170, seed=seed)
        (folder / label / name).write_bytes(specimen.encode(drawn, "JPEG"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label in ("5", "10", "Other"):
        save(tmp_path, label, *(f"{source}-{n}.jpg" for source in "ab" for n in range(5)))
    return tmp_path


def test_sub_folders_are_the_classes_numbers_first_and_by_value(folder: Path) -> None:
    assert dataset.classes_of(dataset.scan(folder, {}, [])) == ["5", "10", "Other"]


def test_a_sub_folder_can_count_as_another_class_or_be_left_out(folder: Path) -> None:
    save(folder, "2", "a-1.jpg", "a-2.jpg")
    photos = dataset.scan(folder, {"2": "Other"}, ["5"])
    assert dataset.counts(photos) == {"10": 10, "Other": 12}


def test_the_source_is_the_file_name_up_to_its_last_hyphen(folder: Path) -> None:
    assert {photo.source for photo in dataset.scan(folder, {}, [])} == {"a", "b"}


def test_a_manifest_says_what_an_other_shows(folder: Path) -> None:
    (folder / "manifest.csv").write_text("file,other_kind\nOther/a-1.jpg,object\n")
    kinds = {p.path.name: p.kind for p in dataset.scan(folder, {}, []) if p.label == "Other"}
    assert kinds["a-1.jpg"] == "object"
    assert kinds["a-2.jpg"] == ""


def test_the_split_holds_out_a_fifth_of_each_class_and_hangs_on_the_seed(folder: Path) -> None:
    photos = dataset.scan(folder, {}, [])
    training, held_out = dataset.split(photos, seed=1)
    assert dataset.counts(held_out) == {"5": 2, "10": 2, "Other": 2}
    assert sorted(training + held_out, key=lambda p: p.path) == photos
    assert dataset.split(photos, seed=1) == (training, held_out)
    assert dataset.split(photos, seed=2) != (training, held_out)


def test_copies_of_a_photo_never_lie_on_both_sides_of_the_split(tmp_path: Path) -> None:
    for label in ("5", "10"):
        (tmp_path / label).mkdir()
        for n in range(5):
            drawn = specimen.bill(label, width=400, angle=30 * n, seed=n)
            for width in (400, 250):
                copy = drawn.resize((width, width * 3 // 4))
                copy.save(tmp_path / label / f"drawn{n}-{width}.png")
    photos = dataset.scan(tmp_path, {}, [])
    groups = dataset.near_duplicates(photos)
    assert all(len(group) >= 2 for group in groups)
    for seed in range(10):
        training, held_out = dataset.split(photos, seed)
        assert held_out
        assert all(len({photo in training for photo in group}) == 1 for group in groups)


def test_a_class_of_a_few_bursts_has_its_smallest_one_held_out(tmp_path: Path) -> None:
    for label, angle in (("5", 0), ("10", 45)):
        (tmp_path / label).mkdir()
        for burst, size in ((0, 8), (90, 6)):
            drawn = specimen.bill(label, width=400, angle=angle + burst, seed=burst)
            for n in range(size):
                copy = drawn.resize((400 - 10 * n, 300 - 7 * n))
                copy.save(tmp_path / label / f"burst{burst}-{n}.png")
    photos = dataset.scan(tmp_path, {}, [])
    assert len(dataset.near_duplicates(photos)) == 4
    _, held_out = dataset.split(photos, seed=1)
    assert dataset.counts(held_out) == {"5": 6, "10": 6}


def test_photos_that_are_all_copies_cannot_be_split(tmp_path: Path) -> None:
    drawn = specimen.encode(specimen.bill("20", width=96), "JPEG")
    for name in ("20/a-1.jpg", "20/a-2.jpg", "5/a-1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(drawn)
    with pytest.raises(ValueError, match="all copies of each other"):
        dataset.split(dataset.scan(tmp_path, {}, []), seed=1)


def test_an_unreadable_file_is_named_and_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "5" / "broken-1.jpg").write_text("no picture")
    photos, pictures = dataset.load(dataset.scan(folder, {}, []))
    assert len(photos) == len(pictures) == 30
    assert "broken-1.jpg" in capsys.readouterr().err


def test_a_photo_for_evaluation_is_the_very_tensor_that_the_front_end_sends(folder: Path) -> None:
    from webapp.preprocessing import open_upright, to_tensor

    photos = dataset.scan(folder, {}, [])
    _, tensors = dataset.tensors(photos[:3])
    expected = [to_tensor(open_upright(photo.path.read_bytes())) for photo in photos[:3]]
    np.testing.assert_array_equal(tensors, expected)


def test_classes_are_drawn_equally_and_a_large_source_does_not_drown_a_small_one(
    tmp_path: Path,
) -> None:
    save(tmp_path, "1", *(f"large-{n}.jpg" for n in range(16)), "small-1.jpg")
    save(tmp_path, "5", "any-1.jpg", "any-2.jpg")
    photos = dataset.scan(tmp_path, {}, [])
    odds = dict(zip(photos, dataset.sampling_weights(photos, {}), strict=True))
    assert sum(odds.values()) == pytest.approx(1)
    assert sum(p for photo, p in odds.items() if photo.label == "1") == pytest.approx(0.5)
    large = sum(p for photo, p in odds.items() if photo.source == "large")
    small = sum(p for photo, p in odds.items() if photo.source == "small")
    assert large / small == pytest.approx(4)


def test_the_fingerprint_changes_with_a_label_or_a_byte_and_not_with_the_place(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    moved = folder.rename(tmp_path_factory.mktemp("elsewhere") / "photos")
    before = dataset.fingerprint(dataset.scan(moved, {}, []))
    assert dataset.fingerprint(dataset.scan(moved, {"10": "5"}, [])) != before
    with (moved / "5" / "a-1.jpg").open("ab") as file:
        file.write(b"\0")
    assert dataset.fingerprint(dataset.scan(moved, {}, [])) != before


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"20": 3}, r"1 class only: \['20'\]"),
        ({"20": 3, "Other": 1}, r"Too few photos: \{'Other': 1\}"),
    ],
)
def test_photos_that_cannot_be_learnt_from_are_refused_with_what_to_do(
    tmp_path: Path, classes: dict[str, int], message: str
) -> None:
    for label, number in classes.items():
        save(tmp_path, label, *(f"a-{n}.jpg" for n in range(number)))
    with pytest.raises(ValueError, match=message) as refusal:
        dataset.require_enough(dataset.scan(tmp_path, {}, []))
    assert "Expected" in str(refusal.value)


def test_a_folder_that_is_missing_or_empty_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere is no folder"):
        dataset.scan(tmp_path / "nowhere", {}, [])
    with pytest.raises(ValueError, match="no sub-folders with pictures"):
        dataset.scan(tmp_path, {}, [])
