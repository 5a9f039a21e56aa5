"""The command line, as a user runs it."""

import argparse
import contextlib
import csv
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from tests.training.conftest import CLASSES, TINY_RECIPE, interrupt
from training import run_folder
from training.__main__ import main, parser
from training.evaluation import model_card, report


def test_a_run_leaves_its_facts_its_log_and_a_sheet_of_views(small_run: Path) -> None:
    # Another test may have exported it.
    assert {path.name for path in small_run.iterdir()} - {"report"} == {
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
    fit, export = trainings("train", *given)
    assert (fit.command, export.command) == ("fit", "export")
    assert fit.photos == export.photos == Path("my photos")
    assert fit.relabel == export.relabel == [("2", "Other")]
    assert fit.folder == export.folder
    assert export.models == Path("models/us_bills")
    assert (fit.views, export.risk) == (9, 0.1)
    assert export.second_look is None


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize(("models", "expected"), [("", None), ("models/others", "models/others")])
def test_make_teach_adds_the_version_beside_the_one_that_is_taught_unless_told(
    models: str, expected: str | None
) -> None:
    given = ["PHOTOS=new", "MODEL=models/things/1", f"MODELS={models}"]
    (taught,) = trainings("teach", *given)
    assert taught.model == Path("models/things/1")
    assert taught.models == (expected and Path(expected))


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_hides_the_gpu_from_what_does_not_use_it_and_not_from_the_training() -> None:
    # The names and values of all variables, those of a target after its name.
    lines = make("--print-data-base", "--dry-run", "train", "PHOTOS=x").stdout.splitlines()
    hiding = {line for line in lines if line.endswith("CUDA_VISIBLE_DEVICES = -1")}
    targets = ("run", "test", "bench", "rollout-demo", "drill")
    assert hiding == {f"{target}: CUDA_VISIBLE_DEVICES = -1" for target in targets}


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_train_without_photos_says_how_to_name_them() -> None:
    done = make("train")
    assert done.returncode != 0
    assert "make train PHOTOS=folder" in done.stderr


def trainings(*arguments: str) -> list[argparse.Namespace]:
    """The commands of `python -m training` that make would run."""
    lines = make("--dry-run", *arguments).stdout.splitlines()
    commands = [shlex.split(line) for line in lines]
    return [
        parser().parse_args(words[3:]) for words in commands if words[1:3] == ["-m", "training"]
    ]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--directory", str(ROOT), *arguments]
    environment = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_evaluate_refuses_a_folder_without_a_model(
    drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--model", str(tmp_path), "--data", str(drawn_photos)]) == 2
    assert "holds no SavedModel" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--risk", "--second-look"])
@pytest.mark.parametrize("value", ["1.5", "-1", "nan", "much"])
def test_a_share_out_of_its_range_is_refused(
    flag: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["export", "photos", f"{flag}={value}"])
    assert f"expected a number from 0 to 1, received '{value}'" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_a_sentence(
    drawn_photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(drawn_photos), "--sheet", "/dev/null/photos.jpg"]) == 2
    assert "/dev/null" in capsys.readouterr().err


def test_ctrl_c_ends_a_run_with_a_sentence(drawn_photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "fit", str(drawn_photos), "--run", str(tmp_path)]
    recipe = ["--backbone", "resnet50v2", "--weights", "none", "--head-views", "9000"]
    run = subprocess.Popen(
        [*command, *recipe],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Shells start background jobs, such as a test run may be, with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert run.stdout
    assert any(line.startswith("stage 1, step 1 of ") for line in run.stdout)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 130
    assert "Traceback" not in errors
    assert errors.endswith(
        "training fit: stopped. Continue after the last finished epoch with --resume.\n"
    )


def test_imagenet_weights_that_cannot_be_downloaded_are_a_sentence(
    drawn_photos: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "training", "fit", str(drawn_photos)]
    offline = {
        "KERAS_HOME": str(tmp_path),
        # A port that refuses connections.
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9"),
    }
    done = subprocess.run(
        [*command, "--backbone", "resnet50v2", "--run", str(tmp_path / "run")],
        cwd=ROOT,
        env=os.environ | offline,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "could not be downloaded. Expected a connection, or --weights none" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def exported(
    tiny_backbone: None, drawn_photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, str]:
    """A run, the folder with its version, and what was printed."""
    folder = tmp_path_factory.mktemp("exported")
    run = folder / "run"
    assert main(["fit", str(drawn_photos), "--run", str(run), *TINY_RECIPE]) == 0
    return run, folder / "models", exporting(run, folder / "models", drawn_photos)


def exporting(run: Path, models: Path, photos: Path, *more: str) -> str:
    output = io.StringIO()
    arguments = ["export", str(photos), "--run", str(run), "--models", str(models), *more]
    with contextlib.redirect_stdout(output):
        assert main(arguments) == 0
    return output.getvalue()


def test_an_export_says_what_was_made_and_ends_with_the_report_and_the_next_command(
    exported: tuple[Path, Path, str],
) -> None:
    run, models, said = exported
    for label in CLASSES:
        assert re.search(rf"^{label} +\d of 1, \d+\.0 % +\d of 1, \d+\.0 %$", said, re.MULTILINE)
    assert re.search(r"^all +\d of 4, [\d.]+ % +\d of 4, [\d.]+ %$", said, re.MULTILINE)
    assert (run / "report" / "report.md").is_file()
    assert f"made: {models / '1'}\n" in said
    assert said.endswith(
        f"report: {run / 'report' / 'report.md'}\n"
        f"some pictures as the network saw them: {run / 'augmented.png'}\n"
        "next, while `make run` runs: .venv/bin/python -m serving rollout --model models"
        " canary 1\n"
    )


def test_what_gets_a_second_look_is_chosen_unless_told(exported: tuple[Path, Path, str]) -> None:
    _, models, _ = exported
    card = model_card.read(models / "1")
    assert card["second_look_chosen"]
    assert 0 <= card["second_look_below"] <= 0.99


def test_the_same_run_with_the_same_settings_is_exported_once(
    exported: tuple[Path, Path, str], drawn_photos: Path
) -> None:
    run, models, _ = exported
    said = exporting(run, models, drawn_photos)
    assert f"{models / '1'} is this run with these settings already" in said
    assert [folder.name for folder in models.iterdir()] == ["1"]
    exporting(run, models, drawn_photos, "--risk", "0.5", "--second-look", "0")
    assert {folder.name for folder in models.iterdir()} == {"1", "2"}


def test_an_export_that_is_stopped_in_its_report_says_what_was_added_and_can_be_repeated(
    exported: tuple[Path, Path, str],
    drawn_photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, models = shutil.copytree(exported[0], tmp_path / "run"), tmp_path / "models"
    command = ["export", str(drawn_photos), "--run", str(run), "--models", str(models)]
    with monkeypatch.context() as patch:
        patch.setattr(report, "write", interrupt)
        assert main(command) == 130
    output = capsys.readouterr()
    assert f"made: {models / '1'}" in output.out
    assert output.err.endswith(f"{models / '1'} was added; only its report is missing.\n")

    assert main(command) == 0
    assert (run / "report" / "report.md").is_file()
    assert [folder.name for folder in models.iterdir()] == ["1"]


def test_photos_to_measure_on_of_which_none_can_be_read_are_refused_before_the_export(
    small_run: Path, drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "a-1.jpg").write_text("no picture")
    models = ["--models", str(tmp_path / "models"), "--measured-on", str(tmp_path)]
    assert main(["export", str(drawn_photos), "--run", str(small_run), *models]) == 2
    output = capsys.readouterr()
    assert "None of the 1 photos can be read." in output.err
    assert "exporting" not in output.out


@pytest.mark.parametrize("facts", ["", "[]", '{"kind"'])
def test_a_run_whose_facts_were_cut_off_may_be_replaced(tmp_path: Path, facts: str) -> None:
    (tmp_path / "run.json").write_text(facts)
    run_folder.require_no_counter(tmp_path)


@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_a_run_of_the_counter_is_not_replaced_by_one_of_the_classifier(
    drawn_photos: Path, tmp_path: Path, resume: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    facts = '{"kind": "counter", "recipe": {"scenes": 16}}'
    (tmp_path / "run.json").write_text(facts)
    assert main(["fit", str(drawn_photos), "--run", str(tmp_path), *resume, *TINY_RECIPE]) == 2
    assert f"{tmp_path} holds a run of the counter" in capsys.readouterr().err
    assert (tmp_path / "run.json").read_text() == facts


@pytest.mark.parametrize(
    "command",
    [
        ["card", "--model"],
        ["reexport", "--model"],
        ["convert", "--to", "litert"],
        ["evaluate", "--data", "PHOTOS", "--model"],
    ],
)
def test_a_version_of_the_counter_is_refused_where_one_of_the_classifier_is_expected(
    drawn_photos: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    counter = str(ROOT / "models" / "us_bills_count" / "1")
    given = [str(drawn_photos) if word == "PHOTOS" else word for word in command]
    assert main([*given, counter]) == 2
    assert f"{counter} is a version of the counter" in capsys.readouterr().err


def test_marked_corners_are_read_before_the_photos_are_judged(
    small_version: Path, drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(small_version), "--data", str(drawn_photos)]
    assert main(["evaluate", *arguments, "--corners", str(tmp_path / "none.csv")]) == 2
    output = capsys.readouterr()
    assert "none.csv" in output.err
    assert not output.out


def test_a_folder_without_a_trained_run_is_not_exported(
    drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--run", str(tmp_path), "--models", str(tmp_path / "models")]
    assert main(["export", str(drawn_photos), *arguments]) == 2
    assert "has no finished epoch to make a version of" in capsys.readouterr().err


def test_evaluate_writes_a_line_for_each_answer(
    small_version: Path, drawn_photos: Path, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "answers.csv"
    arguments = ["--model", str(small_version), "--data", str(drawn_photos)]
    assert main(["evaluate", *arguments, "--answers", str(file)]) == 0
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert len(rows) == 24
    assert list(rows[0]) == ["file", "right", "answered", "probability", "sure"]
    assert {row["file"] for row in rows if row["right"] == "5"} == {
        f"5/drawn-{n}.png" for n in range(6)
    }
    assert {row["answered"] for row in rows} <= set(CLASSES)
    assert all(0 < float(row["probability"]) <= 1 for row in rows)
    assert {row["sure"] for row in rows} <= {"yes", "no"}


def test_a_look_at_photos_does_not_wait_for_tensorflow() -> None:
    code = (
        "import sys, training.commands, training.data.inspect;sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
