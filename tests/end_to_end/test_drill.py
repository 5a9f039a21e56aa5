"""A drill with a tiny network: the stages and both tiers are those of `make drill`."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.drill.__main__ import main
from tests import specimen
from tests.training.conftest import tiny_backbone
from training.__main__ import main as training
from training.teaching import teach

__all__ = ["tiny_backbone"]

COLOURS = {"5": (0,), "20": (1,), "new": (2,), "Other": ()}  # red, green, blue, grey
# Little to learn, and a test of the canary that few requests decide.
QUICK = ["--watch", "--every 1 --max-error-rate 20 --max-latency-ratio 50 --error 10"]


def pattern(design: str, seed: int) -> bytes:
    """A pattern in the colour of a design; in grey for `Other`."""
    rng = np.random.default_rng((len(COLOURS[design]), *COLOURS[design], seed))
    pixels = np.repeat(rng.integers(0, 90, (8, 8, 1), np.uint8), 3, axis=2)
    pixels[..., list(COLOURS[design])] += 160
    return specimen.encode(Image.fromarray(pixels).resize((96, 96)), "PNG")


def save(folder: Path, label: str, design: str, seeds: range) -> None:
    (folder / label).mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (folder / label / f"{design}-{seed}.png").write_bytes(pattern(design, seed))


@pytest.fixture(scope="module")
def folder(tiny_backbone: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version that knows red as 5 and green as 20; blue is to be the new 20."""
    folder = tmp_path_factory.mktemp("drill")
    for label in ("5", "20", "Other"):
        save(folder / "known", label, label, range(10))
    for label in ("5", "20"):
        save(folder / "old", label, label, range(20, 26))
    save(folder / "new", "20", "new", range(20))
    photos, run = str(folder / "known"), ["--run", str(folder / "run")]
    recipe = ["--backbone", "tiny", "--weights", "none", "--batch", "8", "--edges", "0"]
    recipe += ["--head-views", "4800", "--head-rate", "0.3", "--views", "8", "--rate", "1e-6"]
    assert training(["fit", photos, *run, *recipe]) == 0
    assert training(["export", photos, *run, "--models", str(folder / "bills"), "--risk", "1"]) == 0
    return folder


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teach, "STEPS", 240)
    monkeypatch.setattr(teach, "VIEWS", 120)
    monkeypatch.setattr(teach, "JUDGED_VIEWS", 20)
    monkeypatch.setattr(teach, "RATE", 0.05)


def drill(folder: Path, *more: str) -> int:
    where = ["--model", str(folder / "bills" / "1"), "--photos", str(folder / "new")]
    return main([*where, "--old", str(folder / "old"), *QUICK, *more])


@pytest.mark.usefixtures("few_steps")
def test_a_design_that_nobody_knew_is_answered_and_no_request_fails(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # One layer cannot keep both designs of the 20 as sure as the old one was.
    status = drill(folder, "--teach", "--lost-at-most 1", "--lost-at-most", "0.5")
    said = capfd.readouterr()
    assert status == 0, said.out + said.err
    assert [int(n) for n in re.findall(r"^stage (\d) of 9: ", said.out, re.M)] == [*range(1, 10)]
    assert len(re.findall(r"^  \d+ s$", said.out, re.M)) == 9
    assert "accepted, 1 thrown away" in said.out
    assert "version 2 keeps all limits" in said.out
    rows = {row[0]: [*map(int, row[1:])] for row in rows_of(said.out)}
    for group in ("new design, sent back", "new design, others"):
        number, *_, right, _unsure, wrong = rows[group]
        assert (rows[group][1], wrong) == (0, 0)
        assert right > 0.8 * number
    number, *_, right, unsure, wrong = rows["old bills"]
    assert (right + unsure, wrong) == (number, 0)
    assert right > 0
    assert re.search(r"answers to the clients since the canary: \d+, failed: 0$", said.out, re.M)
    assert re.search(r"^wall time: \d+ min \d+ s$", said.out, re.M)


def rows_of(text: str) -> list[tuple[str, ...]]:
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [tuple(line) for line in lines if line[1].isdigit()]


def test_what_is_known_already_is_no_drill(
    folder: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    save(tmp_path / "known", "20", "20", range(20, 30))
    assert drill(folder, "--photos", str(tmp_path / "known")) == 1
    said = capfd.readouterr().err
    assert "The stage `ask about the new design, and about what is known` failed" in said
    assert "knows the first picture of the new design already" in said


def test_a_taught_version_that_is_refused_ends_it_with_a_sentence(
    folder: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    save(tmp_path / "few", "20", "new", range(6))
    assert drill(folder, "--photos", str(tmp_path / "few")) == 1
    said = capfd.readouterr().err
    assert "Too few new photos" in said
    assert "The stage `teach` failed: `training teach` made no version." in said
