"""A version is evaluated on notes of which one half is covered."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data import dataset
from training.evaluation.note_halves import HALVES, covered, evaluate_halves
from training.evaluation.slices import TABLE

PHOTO = Image.new("RGB", (100, 80), "white")
UPRIGHT = np.array([[0.2, 0.25], [0.8, 0.25], [0.8, 0.75], [0.2, 0.75]], np.float32)


def hidden(corners: np.ndarray, half: str) -> np.ndarray:
    """Where the cover lies, bool [80,100]."""
    return np.asarray((np.asarray(covered(PHOTO, corners, HALVES[half])) == TABLE).all(-1))


def test_what_lies_beside_the_other_half_is_covered_and_nothing_else() -> None:
    cover = hidden(UPRIGHT, "left half of the note")
    assert cover[22:58, 52:78].all()
    assert not cover[:, :49].any()
    assert not cover[:18].any()


def test_the_two_halves_of_a_note_are_the_whole() -> None:
    left, right = (hidden(UPRIGHT, half) for half in HALVES)
    assert (left | right)[22:58, 22:78].all()
    assert (left & right).sum() <= 2 * 42


def test_the_left_half_is_the_notes_own_also_upside_down() -> None:
    turned = np.roll(UPRIGHT, 2, axis=0)
    assert (hidden(turned, "left half of the note") == hidden(UPRIGHT, [*HALVES][1])).all()


def marked(folder: Path, *names: str) -> Path:
    file = folder / "corners.csv"
    corners = "0.1,0.3,0.9,0.3,0.9,0.7,0.1,0.7"
    rows = [f"{name},{corners}" for name in names]
    file.write_text("\n".join(["file,x1,y1,x2,y2,x3,y3,x4,y4", *rows]))
    return file


def test_the_marked_notes_are_asked_by_halves(
    small_version: Path, drawn_photos: Path, tmp_path: Path
) -> None:
    photos = dataset.scan(drawn_photos, {}, [])
    name = f"{photos[0].label}/{photos[0].path.name}"
    figures = evaluate_halves(small_version, photos, marked(tmp_path, name))
    assert {half: figure["of"] for half, figure in figures.items()} == dict.fromkeys(HALVES, 1)


def test_notes_of_classes_that_the_version_does_not_know_and_unreadable_ones_are_not_judged(
    small_version: Path, drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "broken-1.jpg").write_text("no picture")
    photos = dataset.scan(drawn_photos, {"1": "2"}, []) + dataset.scan(tmp_path, {}, [])
    names = ["1/drawn-0.png", "5/broken-1.jpg", "20/drawn-0.png"]
    figures = evaluate_halves(small_version, photos, marked(tmp_path, *names))
    assert {figure["of"] for figure in figures.values()} == {1}
    assert "left out {'2': 6}" in capsys.readouterr().err


def test_a_file_that_marks_none_of_the_photos_is_refused(
    small_version: Path, drawn_photos: Path, tmp_path: Path
) -> None:
    photos = dataset.scan(drawn_photos, {}, [])
    with pytest.raises(ValueError, match="marks none of the 24 photos"):
        evaluate_halves(small_version, photos, marked(tmp_path, "20/nowhere-1.jpg"))
