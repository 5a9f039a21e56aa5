"""A version in bfloat16 compared with float32, in processes started with oneDNN, as it requires."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import specimen
from tests.support.servers import ROOT
from training.data.dataset import Photo
from training.evaluation.measures import Answers
from training.evaluation.precision import ALL, agreement, table

VERSION = ROOT / "models" / "us_bills" / "1"
BY_TURNS = f"""
import sys
from pathlib import Path
import training.__main__
from training.data.dataset import scan
from training.evaluation.evaluate import Version
full, half = (Version(Path({str(VERSION)!r}), bfloat16=each) for each in (False, True))
photos = scan(Path(sys.argv[1]), {{}}, [])
first, second, third = (each.ask(photos).probabilities for each in (full, half, full))
print((first == third).all(), (first == second).any())
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for label in ("5", "20"):
        (folder / label).mkdir(parents=True)
        for seed in range(2):
            drawn = specimen.bill(label, width=300, angle=40.0 * seed, seed=seed)
            (folder / label / f"{seed}.jpg").write_bytes(specimen.encode(drawn, "JPEG"))
    return folder


def run(*arguments: str) -> str:
    return subprocess.check_output([sys.executable, *arguments], cwd=ROOT, text=True)


def test_the_report_tells_how_far_both_precisions_agree(photos: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    told = run(
        *("-m", "training", "evaluate", "--model", str(VERSION), "--data", str(photos)),
        *("--bfloat16", "--report", str(report)),
    )
    figures = json.loads((report / "report.json").read_text())
    found = figures["bfloat16"][ALL]
    assert 0 < found["largest_change"] < 0.05
    assert found["pictures"] == 4
    assert found["calibration_error"][0] == figures["expected_calibration_error"]
    assert table(figures["bfloat16"]) in told
    assert table(figures["bfloat16"]) in (report / "report.md").read_text()


def test_one_process_computes_in_both_precisions_by_turns(photos: Path) -> None:
    assert run("-c", BY_TURNS, str(photos)).split() == ["True", "False"]


def answers(*rows: tuple[str, bool, list[float]]) -> Answers:
    said, accepted, probabilities = zip(*rows, strict=True)
    confidence = np.max(probabilities, axis=1).astype(np.float32)
    photos = [Photo(Path(f"{n}.jpg"), "5", "a") for n in range(len(rows))]
    shares = np.array(probabilities, np.float32)
    return Answers(photos, list(said), confidence, np.array(accepted), shares)


def test_answers_are_compared_by_class_and_by_whether_they_are_accepted() -> None:
    rows = [
        (("5", True, [1, 0]), ("5", True, [1, 0])),
        (("5", True, [0.9, 0.1]), ("5", False, [0.8, 0.2])),
        (("5", False, [0.6, 0.4]), ("10", True, [0.45, 0.55])),
        (("5", True, [0.6, 0.4]), ("10", True, [0.45, 0.55])),
        (("5", False, [0.5, 0.5]), ("10", False, [0.5, 0.5])),
    ]
    found = agreement(*(answers(*column) for column in zip(*rows, strict=True)))
    assert found.pop("largest_change") == pytest.approx(0.15)
    assert len(found.pop("calibration_error")) == 2
    assert found == {
        "pictures": 5,
        "accepted_in_both": 1,
        "of_different_classes": 1,
        "accepted_only_in_float32": 1,
        "accepted_only_in_bfloat16": 1,
        "wrong_and_accepted": [0, 2],
    }
