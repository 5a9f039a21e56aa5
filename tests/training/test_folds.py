"""Nested folds: each source is left out once, and evaluated last."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import TINY_RECIPE, save_bills
from training.__main__ import main
from training.data.dataset import OTHER, Photo
from training.evaluation.measures import Answers
from training.folds import Fold, figures, markdown, source_folds


def photo(label: str, source: str, kind: str = "") -> Photo:
    return Photo(Path(f"{label}/{source}-1.jpg"), label, source, kind)


def fold(photos: list[Photo], said: list[str], sure: list[bool], kinds: set[str]) -> Fold:
    confidence = np.linspace(0.9, 0.99, len(said)).astype(np.float32)
    answers = Answers(
        photos, said, confidence, np.array(sure), np.zeros((len(said), 2), np.float32)
    )
    return Fold(sorted({one.source for one in photos}), answers, 0.9, kinds)


def test_every_source_is_in_one_fold_and_bills_are_spread_evenly() -> None:
    sources = {"web": 9, "phone": 5, "scans": 4}
    photos = [photo("20", name) for name, count in sources.items() for _ in range(count)]
    photos += [photo(OTHER, name) for name in ("coins", "coins", "notes", "") for _ in range(2)]
    assert source_folds(photos, 2) == [["web", "coins"], ["phone", "scans", "notes"]]


def test_more_folds_than_sources_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected at least 3 sources\. Received: phone, web"):
        source_folds([photo("1", "web"), photo("1", "phone")], 3)
    with pytest.raises(ValueError, match=r"Received: none\. The source .* such as `mine-001\.jpg`"):
        source_folds([photo("1", "")], 2)


def test_other_things_count_as_withheld_where_no_photo_of_their_kind_was_seen() -> None:
    photos = [photo("20", "web"), photo(OTHER, "web", "eur"), photo(OTHER, "web", "jpy")]
    one = fold(photos, ["20", "20", "20"], [True, True, True], {"eur", ""})
    found = figures([one])
    assert found["all"]["other_taken_for_money"]["count"] == 2
    assert found["all"]["withheld"]["count"] == found["all"]["withheld"]["of"] == 1


def test_the_page_tells_all_folds_together_then_each_with_its_threshold() -> None:
    first = fold([photo("20", "web"), photo("5", "web")], ["20", "20"], [True, True], set())
    second = fold([photo("1", "phone")], ["1"], [False], set())
    page = markdown(figures([first, second]))
    assert "Of 2 sure answers 1 are wrong: with 99 % confidence at most 99.50 %" in page
    assert page.count("Sure from a probability of 0.900") == 2
    assert "| bills answered: right and sure | 1 of 3 |" in page
    assert page.index("all folds together") < page.index("without web") < page.index("phone")


def test_folds_whose_versions_know_different_classes_are_joined() -> None:
    first = fold([photo("20", "web")], ["20"], [True], set())
    second = fold([photo("1", "phone")], ["1"], [True], set())
    wider = replace(second.answers, probabilities=np.zeros((1, 3), np.float32))
    assert figures([first, second._replace(answers=wider)])["all"]["photos"] == 2


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--held-out-source=a", "Expected no --held-out-source"),
        ("--weights=models/us_bills/1", "which may have learnt from any source"),
        ("--source-weights=c=2", "Unknown source 'c'"),
        ("--class-weights=20=2", "Unknown class '20'"),
    ],
)
def test_a_recipe_that_no_fold_could_use_is_refused_before_training(
    folder: Path, tmp_path: Path, flag: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["folds", str(folder), "--run", str(tmp_path / "folds"), "--folds=2", flag]) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "folds").exists()


@pytest.mark.usefixtures("tiny_backbone")
def test_the_command_trains_without_each_source_and_asks_about_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, run = tmp_path / "photos", tmp_path / "folds"
    for label in ("5", "10", "Other"):
        save_bills(photos, label, *(f"{source}-{n}.jpg" for source in "ab" for n in range(5)))
    # Only one of the folds has photos of this source.
    weighted = ["--source-weights", "a=2"]
    command = ["folds", str(photos), "--run", str(run), "--folds", "2", *TINY_RECIPE, *weighted]
    assert main(command) == 0
    assert "Of " in capsys.readouterr().out
    found = json.loads((run / "folds.json").read_text())
    assert [one["sources"] for one in found["folds"]] == [["a"], ["b"]]
    assert [one["photos"] for one in found["folds"]] == [15, 15]
    seen = json.loads((run / "fold-1" / "run.json").read_text())
    assert seen["sources"] == ["b"]

    assert main(command) == 0, "a fold that is done is asked again, not trained"
    assert "stage 1" not in capsys.readouterr().out

    assert main([*command, "--seed", "2"]) == 2
    assert "began with another recipe: seed 1, now 2" in capsys.readouterr().err
