"""The model card: complete in the version, and the same text in a document."""

import json
import shutil
from pathlib import Path

import pytest

from training.__main__ import main
from training.evaluation import model_card


def test_the_card_says_what_the_version_is_for_and_what_it_was_made_of(
    small_version: Path,
) -> None:
    facts = model_card.read(small_version)
    assert "counterfeits" in facts["not_for"]
    assert facts["data"] == {"drawn": {"1": 6, "5": 6, "20": 6, "Other": 6}}
    assert facts["command"].startswith("python -m training")


def test_the_cards_text_holds_every_figure_with_its_interval_and_the_command(
    small_version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["card", "--model", str(small_version)]) == 0
    text = capsys.readouterr().out
    facts = model_card.read(small_version)
    measured = facts["measures"]["other_source"]
    for name in ("top_1_denominations", "bills_answered", "other_taken_for_money"):
        assert f"| {measured[name]['count']} of {measured[name]['of']} |" in text
    assert facts["command"] in text
    assert "the worst of 11 turns" in text
    assert "**Known weaknesses:**" in text
    assert "| drawn | 6 | 6 | 6 | 6 |" in text


def test_the_card_says_by_which_pictures_it_was_judged(small_version: Path) -> None:
    facts = model_card.read(small_version)
    assert "one further source" in model_card.markdown(facts)
    by_held_out = {**facts, "measures": {"held_out": facts["measures"]["held_out"]}}
    assert "expect less on photos of other people" in model_card.markdown(by_held_out)


def test_the_card_tells_of_the_second_look_where_there_is_one(small_version: Path) -> None:
    facts = model_card.read(small_version)
    assert "looks again" not in model_card.markdown(facts)
    assert "less sure than 0.9," in model_card.markdown({**facts, "second_look_below": 0.9})


def test_the_card_names_the_classes_that_need_more_to_be_sure(small_version: Path) -> None:
    facts = model_card.read(small_version)
    stricter = {**facts, "threshold": 0.9, "stricter": {"20": 0.967}}
    assert "as sure from a probability of 0.90, `20` from 0.967." in model_card.markdown(stricter)


def test_the_card_replaces_the_one_in_a_document_and_nothing_else(
    small_version: Path, tmp_path: Path
) -> None:
    document = tmp_path / "README.md"
    document.write_text(f"before\n{model_card.BEGIN}\nan earlier card\n{model_card.END}\nafter\n")
    for _ in range(2):
        assert main(["card", "--model", str(small_version), "--into", str(document)]) == 0
    text = document.read_text()
    assert text.startswith(f"before\n{model_card.BEGIN}\n**For:**")
    assert text.endswith(f"\n{model_card.END}\nafter\n")
    assert "an earlier card" not in text
    assert text.count("**Not for:**") == 1


def test_a_document_without_a_place_for_the_card_is_left_alone(
    small_version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "README.md"
    document.write_text("no markers")
    assert main(["card", "--model", str(small_version), "--into", str(document)]) == 2
    assert "no place for the card" in capsys.readouterr().err
    assert document.read_text() == "no markers"


def test_a_version_is_found_by_what_its_card_says(small_version: Path) -> None:
    models, facts = small_version.parent, model_card.read(small_version)
    assert model_card.find(models, {"weights_sha256": facts["weights_sha256"]}) == small_version
    assert model_card.find(models, {"weights_sha256": "another"}) is None
    assert model_card.find(models / "nowhere", {}) is None


def test_a_version_that_was_taught_is_not_taken_for_the_one_before(
    small_version: Path, tmp_path: Path
) -> None:
    for number in ("1", "2"):
        shutil.copytree(small_version, tmp_path / number)
    file = model_card.path(tmp_path / "2")
    card = json.loads(file.read_text())
    file.write_text(json.dumps(card | {"taught": {"version": "1"}}))
    same = {"weights_sha256": card["weights_sha256"]}
    assert model_card.find(tmp_path, same) == tmp_path / "1"


def test_a_version_without_a_card_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["card", "--model", str(tmp_path)]) == 2
    assert "has no model card" in capsys.readouterr().err
