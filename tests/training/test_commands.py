"""The command line, as a person uses it."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from training.__main__ import main, parser


def test_a_run_leaves_its_facts_its_log_and_a_sheet_of_views(small_run: Path) -> None:
    assert {path.name for path in small_run.iterdir()} == {
        "augmented.png",
        "classifier.weights.h5",
        "log.csv",
        "run.json",
        "state.npz",
    }


def test_a_recipe_that_is_refused_leaves_the_earlier_run_as_it_was(
    small_run: Path, drawn_photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in small_run.iterdir()}
    assert main(["fit", str(drawn_photos), "--run", str(small_run), "--backbone", "vgg"]) == 2
    assert "Unknown backbone 'vgg'" in capsys.readouterr().err
    assert {path.name: path.stat().st_mtime_ns for path in small_run.iterdir()} == before


def test_evaluate_leaves_out_classes_that_the_model_does_not_know_and_says_so(
    small_version: Path, drawn_photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(small_version), "--data", str(drawn_photos)]
    assert main(["evaluate", *arguments, "--relabel", "20=2"]) == 0
    output = capsys.readouterr()
    assert "left out {'2': 6}" in output.err
    assert re.search(r"^photos +18$", output.out, re.MULTILINE)


def test_a_relabelling_of_another_form_is_refused(
    drawn_photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["fit", str(drawn_photos), "--relabel", "2"])
    assert "expected FOLDER=CLASS, received '2'" in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_train_fits_and_exports_with_the_same_photos() -> None:
    given = ["PHOTOS=my photos", "FOLDERS=--relabel 2=Other", "FIT=--views 9", "EXPORT=--risk 0.1"]
    commands = [
        shlex.split(line) for line in make("--dry-run", "train", *given).stdout.splitlines()
    ]
    fit, export = [
        parser().parse_args(words[3:]) for words in commands if words[1:3] == ["-m", "training"]
    ]
    assert (fit.command, export.command) == ("fit", "export")
    assert fit.photos == export.photos == Path("my photos")
    assert fit.relabel == export.relabel == [("2", "Other")]
    assert fit.folder == export.folder
    assert (fit.views, export.risk) == (9, 0.1)


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_train_without_photos_says_how_to_name_them() -> None:
    done = make("train")
    assert done.returncode != 0
    assert "make train PHOTOS=folder" in done.stderr


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--directory", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_evaluate_refuses_a_folder_without_a_model(
    drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--model", str(tmp_path), "--data", str(drawn_photos)]) == 2
    assert "holds no SavedModel" in capsys.readouterr().err
