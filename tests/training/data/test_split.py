"""Held-out photos: a share of each class or a whole source, and never copies of training photos."""

from pathlib import Path

import pytest

from tests import specimen
from tests.training.conftest import save_bills
from training.data import dataset
from training.data.split import fingerprint, near_duplicates, split


def test_the_split_holds_out_a_fifth_of_each_class_and_hangs_on_the_seed(folder: Path) -> None:
    photos = dataset.scan(folder, {}, [])
    training, held_out = split(photos, seed=1)
    assert dataset.counts(held_out) == {"5": 2, "10": 2, "Other": 2}
    assert sorted(training + held_out, key=lambda p: p.path) == photos
    assert split(photos, seed=1) == (training, held_out)
    assert split(photos, seed=2) != (training, held_out)


def test_copies_of_a_photo_never_lie_on_both_sides_of_the_split(tmp_path: Path) -> None:
    for label in ("5", "10"):
        (tmp_path / label).mkdir()
        for n in range(5):
            drawn = specimen.bill(label, width=400, angle=30 * n, seed=n)
            for width in (400, 250):
                copy = drawn.resize((width, width * 3 // 4))
                copy.save(tmp_path / label / f"drawn{n}-{width}.png")
    photos = dataset.scan(tmp_path, {}, [])
    groups = near_duplicates(photos)
    assert all(len(group) >= 2 for group in groups)
    for seed in range(10):
        training, held_out = split(photos, seed)
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
    assert len(near_duplicates(photos)) == 4
    _, held_out = split(photos, seed=1)
    assert dataset.counts(held_out) == {"5": 6, "10": 6}


def test_photos_that_are_all_copies_cannot_be_split(tmp_path: Path) -> None:
    drawn = specimen.encode(specimen.bill("20", width=96), "JPEG")
    for name in ("20/a-1.jpg", "20/a-2.jpg", "5/a-1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(drawn)
    with pytest.raises(ValueError, match="all copies of each other"):
        split(dataset.scan(tmp_path, {}, []), seed=1)


def test_the_fingerprint_changes_with_a_label_or_a_byte_and_not_with_the_place(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    moved = folder.rename(tmp_path_factory.mktemp("elsewhere") / "photos")
    before = fingerprint(dataset.scan(moved, {}, []))
    assert fingerprint(dataset.scan(moved, {"10": "5"}, [])) != before
    with (moved / "5" / "a-1.jpg").open("ab") as file:
        file.write(b"\0")
    assert fingerprint(dataset.scan(moved, {}, [])) != before


def test_the_fingerprint_does_not_depend_on_the_order_of_files_of_one_name(folder: Path) -> None:
    save_bills(folder, "2", "a-1.jpg")
    photos = dataset.scan(folder, {"2": "5"}, [])
    training, held_out = split(photos, seed=1)
    assert fingerprint(held_out + training) == fingerprint(photos) == fingerprint(photos[::-1])


def test_a_folder_that_counts_as_another_class_holds_out_the_same_photos(folder: Path) -> None:
    save_bills(folder, "2", *(f"a-{n}.jpg" for n in range(10)))
    own, other = (
        split(dataset.scan(folder, relabel, []), seed=1)[1] for relabel in ({}, {"2": "Other"})
    )
    assert {photo.path for photo in own} == {photo.path for photo in other}
    assert dataset.counts(own) == {"2": 2, "5": 2, "10": 2, "Other": 2}
    assert dataset.counts(other) == {"5": 2, "10": 2, "Other": 4}


def test_whole_sources_can_be_held_out_and_nothing_else_then_is(folder: Path) -> None:
    save_bills(folder, "5", "c-1.jpg")
    photos = dataset.scan(folder, {}, [])
    training, held_out = split(photos, seed=1, sources="b,c")
    assert {photo.source for photo in training} == {"a"}
    assert {photo.source for photo in held_out} == {"b", "c"}
    assert len(held_out) == 16


def test_copies_of_a_held_out_sources_photos_go_with_it(folder: Path) -> None:
    original = folder / "5" / "b-1.jpg"
    (folder / "5" / "a-copy.jpg").write_bytes(original.read_bytes())
    _, held_out = split(dataset.scan(folder, {}, []), seed=1, sources="b")
    assert folder / "5" / "a-copy.jpg" in {photo.path for photo in held_out}


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ("c", r"Unknown source c\. Sources: \['a', 'b'\]"),
        ("b,d,c", r"Unknown source c, d\. Sources: \['a', 'b'\]"),
        ("a,b", "Without a, b and copies of their photos nothing is left to train on"),
    ],
)
def test_sources_that_do_not_exist_or_are_all_are_refused(
    folder: Path, sources: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        split(dataset.scan(folder, {}, []), seed=1, sources=sources)
