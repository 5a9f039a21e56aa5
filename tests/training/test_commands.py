"""The command line, as a person uses it."""

import json
from pathlib import Path

import pytest

from training.__main__ import main


def test_a_run_leaves_its_facts_its_log_and_a_sheet_of_views(small_run: Path) -> None:
    assert {path.name for path in small_run.iterdir()} == {
        "augmented.png",
        "classifier.weights.h5",
        "log.csv",
        "run.json",
    }


def test_evaluate_prints_the_figures_and_writes_the_report(
    small_version: Path, drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(small_version), "--data", str(drawn_photos)]
    assert main(["evaluate", *arguments, "--report", str(tmp_path / "report.json")]) == 0
    assert "top_1_denominations" in capsys.readouterr().out
    assert json.loads((tmp_path / "report.json").read_text())["photos"] == 24


def test_evaluate_refuses_classes_that_the_model_does_not_know(
    small_version: Path, drawn_photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(small_version), "--data", str(drawn_photos)]
    assert main(["evaluate", *arguments, "--relabel", "20=2"]) == 2
    assert "use --relabel or --skip" in capsys.readouterr().err


def test_evaluate_refuses_a_folder_without_a_model(
    drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--model", str(tmp_path), "--data", str(drawn_photos)]) == 2
    assert "holds no SavedModel" in capsys.readouterr().err
