"""The inspection of a folder before training."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from training.__main__ import main


@pytest.fixture
def folder(drawn_photos: Path, tmp_path: Path) -> Path:
    """The drawn photos, with one of each thing that can be wrong."""
    folder = tmp_path / "photos"
    shutil.copytree(drawn_photos, folder)
    (folder / "5" / "broken-1.jpg").write_text("no picture")
    shutil.copy(folder / "20" / "drawn-1.png", folder / "5" / "wrong-1.png")
    return folder


def test_inspect_tells_classes_sizes_and_what_is_wrong(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(folder), "--sheet", str(tmp_path / "sheets" / "all.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:5]] == [
        ["1", "6", "1"],
        ["5", "8", "3"],
        ["20", "6", "1"],
        ["Other", "6", "1"],
    ]
    assert any(line.startswith("unreadable") and "broken-1.jpg" in line for line in lines)
    (contradiction,) = [line for line in lines if line.startswith("same picture, two classes")]
    assert "20/drawn-1.png" in contradiction
    assert "5/wrong-1.png" in contradiction


def test_inspect_shows_a_row_of_photos_for_each_class(folder: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["inspect", str(folder), "--sheet", str(sheet)]) == 0
    with Image.open(sheet) as picture:
        assert picture.height == 4 * 112
        rows = [picture.crop((0, 112 * row, 112, 112 * row + 84)) for row in range(4)]
    assert all(len(row.getcolors(20_000) or []) > 50 for row in rows)
