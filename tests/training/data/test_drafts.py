"""A file is replaced as a whole or stays as it was."""

from pathlib import Path

import pytest

from training.data.drafts import replacing


def test_a_file_is_replaced_once_its_draft_is_whole(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.txt") as draft:
        draft.write_text("new")
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_draft_that_is_cut_off_leaves_the_earlier_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("earlier")
    with pytest.raises(OSError, match="disk full"):
        cut_off(file)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["earlier"]


def cut_off(file: Path) -> None:
    with replacing(file) as draft:
        draft.write_text("ne")
        raise OSError("disk full")
