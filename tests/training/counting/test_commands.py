"""`fit-count`, `export-count` and `evaluate-count`, from a folder of photos to a served version."""

import hashlib
import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serving.client import connect
from tests.support.servers import ModelServer
from tests.training.counting.conftest import VALUES, flat
from training.__main__ import main
from training.counting import fit
from training.counting.detector import network
from training.run_folder import WEIGHTS

FIT = ("--scenes", "16", "--cuttings", "16", "--batch", "8")


def save(picture: Image.Image, folder: Path, number: int) -> None:
    """Writes a picture with a pattern of its own, so that it is no copy of another."""
    rng = np.random.default_rng(zlib.crc32(f"{folder.name}{number}".encode()))
    patches = Image.fromarray(rng.integers(0, 256, (6, 8, 3)).astype(np.uint8))
    folder.mkdir(parents=True, exist_ok=True)
    blend = Image.blend(picture, patches.resize(picture.size, Image.Resampling.NEAREST), 0.3)
    blend.save(folder / f"drawn-{number}.png")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten drawn bills of each of three classes, and ten plain pictures of `Other`."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(10):
        for value in VALUES:
            save(Image.fromarray(flat(value)), folder / value, number)
        save(Image.new("RGB", (300, 300), "grey"), folder / "Other", number)
    return folder


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps, which knows next to nothing."""
    folder = tmp_path_factory.mktemp("runs") / "count"
    assert main(["fit-count", str(photos), "--run", str(folder), *FIT]) == 0
    return folder


@pytest.fixture(scope="module")
def version(photos: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version made of it."""
    models = tmp_path_factory.mktemp("models") / "us_bills_count"
    command = ["export-count", str(photos), "--run", str(run), "--models", str(models)]
    assert main([*command, "--scenes", "20"]) == 0
    return models / "1"


def test_a_run_shows_scenes_and_keeps_its_facts(run: Path) -> None:
    with Image.open(run / "scenes.png") as scenes:
        assert scenes.size == (6 * 448, 6 * 448)
    facts = json.loads((run / "run.json").read_text())
    assert facts["kind"] == "counter"
    assert facts["recipe"]["scenes"] == 16
    assert facts["weights_from"]["version"] == "models/us_bills/1"


def test_a_finished_run_is_left_as_it_is(
    photos: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run / "detector" / "classifier.weights.h5").stat().st_mtime_ns
    assert main(["fit-count", str(photos), "--run", str(run), "--resume"]) == 0
    assert (run / "detector" / "classifier.weights.h5").stat().st_mtime_ns == before
    said = capsys.readouterr().out
    assert "stage 1" not in said
    assert f"next: .venv/bin/python -m training export-count {photos} --run {run}\n" in said


def test_a_run_is_not_continued_with_another_recipe(
    photos: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["fit-count", str(photos), "--run", str(run), "--resume", "--scenes", "32"]
    assert main(command) == 2
    assert "another recipe" in capsys.readouterr().err


def test_a_run_that_goes_on_from_another_one_names_it(
    photos: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both stay as they were at the start.
    monkeypatch.setattr(fit, "learn", lambda *_: None)
    monkeypatch.setattr(
        fit, "_fit_detector", lambda *given: given[0].save_weights(given[4] / WEIGHTS)
    )
    of_another = tmp_path / "next" / "reader" / "classifier.weights.h5"
    of_another.parent.mkdir(parents=True)
    of_another.write_text("of an earlier run in this folder")
    command = ["fit-count", str(photos), "--run", str(tmp_path / "next"), *FIT]
    assert main([*command, "--start", str(run)]) == 0
    assert of_another.stat().st_size > 1_000_000, "a new run replaces the reader too"
    mine, begun = (network.build("none") for _ in range(2))
    mine.load_weights(tmp_path / "next" / "detector" / WEIGHTS)
    begun.load_weights(run / "detector" / WEIGHTS)
    assert all(map(np.array_equal, mine.get_weights(), begun.get_weights()))
    before = json.loads((tmp_path / "next" / "run.json").read_text())["detector_from"]
    assert before["recipe"]["scenes"] == 16
    assert before["weights_sha256"]
    reader = (run / "reader" / "classifier.weights.h5").read_bytes()
    assert before["reader_sha256"] == hashlib.sha256(reader).hexdigest()


def test_a_run_that_would_start_from_itself_is_refused_and_left_as_it_is(
    photos: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run / "reader" / "classifier.weights.h5").stat().st_mtime_ns
    command = ["fit-count", str(photos), "--run", str(run), *FIT, "--start", str(run)]
    assert main(command) == 2
    assert "Expected two folders" in capsys.readouterr().err
    assert (run / "reader" / "classifier.weights.h5").stat().st_mtime_ns == before


def test_a_run_without_a_finished_epoch_is_nothing_to_start_from(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["fit-count", str(photos), "--run", str(tmp_path / "next"), *FIT]
    assert main([*command, "--start", str(tmp_path)]) == 2
    assert "has no finished epoch" in capsys.readouterr().err


def test_photos_without_whole_bills_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(10):
        for label in ("1", "Other"):
            save(Image.new("RGB", (200, 200), "white"), tmp_path / "photos" / label, number)
    command = ["fit-count", str(tmp_path / "photos"), "--run", str(tmp_path / "run"), *FIT]
    assert main(command) == 2
    assert "2.35 times as wide as high" in capsys.readouterr().err


def test_bills_that_the_classifier_does_not_know_are_refused_before_training(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(photos, tmp_path / "photos")
    (folder / "20").rename(folder / "2")
    assert main(["fit-count", str(folder), "--run", str(tmp_path / "run"), *FIT]) == 2
    said = capsys.readouterr().err
    assert "models/us_bills/1 knows 1, 5, 10, 20, 50, 100, Other. Received photos of 2" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("scenes", ["0", "-1", "many"])
def test_a_number_of_scenes_that_is_none_is_refused(
    scenes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate-count", "--model=models/us_bills_count/1", f"--scenes={scenes}"])
    assert "expected a whole number of at least 1" in capsys.readouterr().err


def test_the_version_is_served_and_refuses_wrong_shapes(version: Path, tmp_path: Path) -> None:
    flags = ["--model_name=us_bills_count", f"--model_base_path={version.parent}"]
    picture = np.zeros((2, 448, 448, 3), np.uint8)
    with ModelServer(tmp_path, flags, wait_for=["us_bills_count"]) as server:
        client = connect(server.grpc_url)
        outputs = client.predict("us_bills_count", {"image": picture}).outputs
        assert {name: value.shape for name, value in outputs.items()} == {
            "boxes": (2, 16, 4, 2),
            "classes": (2, 16),
            "scores": (2, 16),
            "count": (2,),
            "accepted": (2,),
        }
        client.close()


def test_the_card_tells_the_recipe_and_how_sure_lists_are(version: Path) -> None:
    card = json.loads((version / "assets.extra" / "model_card.json").read_text())
    assert card["kind"] == "counter"
    assert 0 <= card["threshold"] <= 1
    assert card["selection"]["of"] == 10
    assert card["risk_of_hardest"] == 0.01
    assert "no bill, hard" in card["measures"]["held_out_scenes"]


def test_evaluation_prints_each_kind_and_writes_a_report(
    photos: Path, version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate-count", "--data", str(photos), "--model", str(version), "--scenes", "2"]
    assert main([*command, "--report", str(tmp_path / "report")]) == 0
    out = capsys.readouterr().out
    assert "two different bills side by side" in out
    assert "photos without bills" in out
    assert (tmp_path / "report" / "report.md").is_file()
    with Image.open(tmp_path / "report" / "scenes.png") as scenes:
        assert scenes.width == 5 * 448


def test_marked_corners_give_the_bills_of_scenes(
    photos: Path, version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marked = tmp_path / "corners.csv"
    rows = [f"{value}/drawn-0.png,0,0,1,0,1,1,0,1" for value in VALUES]
    marked.write_text("\n".join(["file,x1,y1,x2,y2,x3,y3,x4,y4", *rows]))
    command = ["evaluate-count", "--data", str(photos), "--model", str(version), "--scenes", "1"]
    assert main([*command, "--corners", str(marked)]) == 0
    marked.write_text("file,left,top\n1/drawn-0.png,0,0\n")
    assert main([*command, "--corners", str(marked)]) == 2
    assert "no columns x1" in capsys.readouterr().err
    marked.write_text("file,x1,y1,x2,y2,x3,y3,x4,y4\n1/gone.png,0,0,1,0,1,1,0,1\n")
    assert main([*command, "--corners", str(marked)]) == 2
    assert "1/gone.png, which is not among the photos" in capsys.readouterr().err
