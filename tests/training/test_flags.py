"""What several commands have in common: their photos, and the command that they name next."""

import argparse
from pathlib import Path

import pytest

from tests.training.conftest import save_bills
from training.__main__ import main, parser
from training.flags import next_message, photo_flags, scan_and_warn


def given(*arguments: str) -> argparse.Namespace:
    return parser().parse_args(["fit", *arguments])


@pytest.mark.parametrize(
    ("version", "command"),
    [
        ("models/us_bills/2", "rollout canary 2"),
        ("models/things/1", "rollout --model things canary 1"),
        ("models/my things/1", "rollout --model 'my things' canary 1"),
    ],
)
def test_the_next_command_is_about_the_model_of_the_version(version: str, command: str) -> None:
    said = next_message(Path(version))
    assert said == f"next, while `make run` runs: .venv/bin/python -m serving {command}"


def test_the_flags_of_photos_are_read_back_as_they_were_given() -> None:
    flags = ["my photos", "--relabel", "2=Other", "--relabel=-3=5", "--skip", "look alike"]
    before = given(*flags)
    after = given(*photo_flags(before))
    assert (after.photos, after.relabel, after.skip) == (before.photos, before.relabel, before.skip)


@pytest.mark.parametrize(
    "twice", [["--relabel=5=a", "--relabel=5=b"], ["--skip=5", "--relabel=5=Other"]]
)
def test_a_sub_folder_that_is_named_twice_is_refused(
    folder: Path, twice: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(folder), *twice]) == 2
    assert "--relabel and --skip name 5 more than once" in capsys.readouterr().err


def test_the_same_flag_may_be_repeated(folder: Path) -> None:
    same = ["--relabel=10=5", "--relabel=10=5", "--skip=Other", "--skip=Other"]
    assert {photo.label for photo in scan_and_warn(given(str(folder), *same))} == {"5"}


def test_a_class_that_is_written_almost_like_the_class_of_everything_else_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan_and_warn(given(str(folder)))
    assert not capsys.readouterr().err
    save_bills(folder, "other", "a-1.jpg")
    scan_and_warn(given(str(folder)))
    assert "`other` is a class of its own" in (said := capsys.readouterr().err)
    assert "(--relabel other=Other)" in said


@pytest.mark.parametrize(
    ("command", "flag", "least"),
    [("folds", "--folds=1", 2), ("teach", "--steps=0", 1), ("teach", "--steps=-5", 1)],
)
def test_a_number_that_is_too_small_is_refused(
    command: str, flag: str, least: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "photos", flag])
    assert f"expected a whole number of at least {least}" in capsys.readouterr().err
