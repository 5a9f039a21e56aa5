"""A version learns a new design from ten photos, and keeps what it knows."""

import re
from pathlib import Path

import numpy as np
import pytest

from training.__main__ import main
from training.data import dataset
from training.evaluation import model_card
from training.evaluation.evaluate import Version
from training.rehearsal import rehearsal
from training.teaching import teach
from training.teaching.changes import Change
from training.teaching.lessons import Examples


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for the tiny network, which knows nothing that could be lost."""
    monkeypatch.setattr(teach, "STEPS", 60)
    monkeypatch.setattr(teach, "VIEWS", 80)
    monkeypatch.setattr(teach, "JUDGED_VIEWS", 20)
    monkeypatch.setattr(teach, "RATE", 0.05)


def teaching(photos: Path, version: Path, models: Path, *more: str) -> int:
    arguments = ["teach", str(photos), "--model", str(version), "--models", str(models)]
    return main([*arguments, *more])


@pytest.mark.usefixtures("few_steps")
def test_a_design_is_learnt_and_the_next_version_tells_what_changed(
    small_version: Path, new_design: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "us_bills"
    assert teaching(new_design, small_version, models, "--lost-at-most", "1") == 0
    said = capsys.readouterr().out
    assert "| new photos, 20 |" in said
    assert f"made: {models / '1'}" in said
    photos = dataset.scan(new_design, {}, [])
    answers = Version(models / "1").ask(photos)
    assert np.mean(np.array(answers.said) == "20") > 0.8
    card = model_card.read(models / "1")
    assert card["taught"]["version"] == small_version.name
    assert card["taught"]["photos"] == {"20": 10}
    assert "other_source" not in card["measures"]


def test_the_next_version_rehearses_all_new_photos() -> None:
    photos = 13 * ["10"] + 6 * ["50"]
    views = 2_000 // len(photos) * photos
    # One number stands for the activations: that of the photo.
    numbers = np.resize(np.arange(len(photos), dtype=np.float32), (len(views), 1, 1, 1))
    kept = teach._to_rehearse(Examples(numbers, np.array(views)), seed=1)
    seen = np.rint(kept.activations(np.arange(len(kept.labels)))[:, 0, 0, 0])
    assert set(seen) == set(range(len(photos)))
    for judged in (kept.held_out, ~kept.held_out):
        assert (kept.labels[judged] == "50").mean() == pytest.approx(6 / 19, abs=0.15)


@pytest.mark.usefixtures("few_steps")
def test_a_new_class_is_added_and_can_be_taught_upon(
    small_version: Path, new_design: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (new_design / "20").rename(new_design / "Ticket")
    models, names = tmp_path / "us_bills", tmp_path / "names.json"
    names.write_text('{"Ticket": {"en": "a ticket"}}')
    more = ["--lost-at-most", "1", "--names", str(names)]
    assert teaching(new_design, small_version, models, *more) == 0
    assert model_card.read(models / "1")["names"] == {"Ticket": {"en": "a ticket"}}
    assert model_card.read(models / "1")["classes"] == ["1", "5", "20", "Other", "Ticket"]
    assert "Ticket" in rehearsal.read(models / "1").labels
    assert "new classes: Ticket; the version knows 1, 5, 20, Other" in capsys.readouterr().out
    # Beside the version that is taught, unless `--models` names another folder.
    command = ["teach", str(new_design), "--model", str(models / "1"), "--lost-at-most", "1"]
    assert main(command) == 0
    assert f"made: {models / '2'}" in capsys.readouterr().out
    assert (models / "2").is_dir()


@pytest.mark.usefixtures("few_steps")
def test_what_forgets_is_not_published(
    small_version: Path,
    new_design: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [Change("5", 40, 40, 30, 30, 0, 12)]
    monkeypatch.setattr(teach, "changes", lambda *_: found)
    models = tmp_path / "us_bills"
    assert teaching(new_design, small_version, models) == 2
    said = capsys.readouterr()
    assert "5: 40 of 40 right, 30 now" in said.err
    assert "| 5 | 40 | 40 | 30 | 30 | 0 |" in said.out
    assert not list(models.glob("*"))


def test_too_few_readable_photos_are_refused_before_training(
    small_version: Path, new_design: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in sorted((new_design / "20").iterdir())[4:]:
        file.write_text("no picture")
    assert teaching(new_design, small_version, tmp_path / "models") == 2
    assert re.search(r"Too few new photos: \{'20': 4\}", capsys.readouterr().err)
