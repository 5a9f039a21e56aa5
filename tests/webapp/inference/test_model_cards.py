"""The front end reads the names of a version's classes from its model card."""

import json
import logging
from pathlib import Path

import pytest

from webapp.inference.model_cards import ClassNames


def write_card(models: Path, version: int, text: str) -> None:
    folder = models / str(version) / "assets.extra"
    folder.mkdir(parents=True)
    (folder / "model_card.json").write_text(text)


def test_each_version_has_names_of_its_own(tmp_path: Path) -> None:
    write_card(tmp_path, 1, json.dumps({"names": {"new": {"value": 10}}}))
    write_card(tmp_path, 2, json.dumps({"classes": ["new"]}))
    names = ClassNames(str(tmp_path))
    assert names.of(1).of("new").value == 10
    assert names.of(2).of("new").value is None


@pytest.mark.parametrize("folder", ["", "nowhere/at/all", __file__])
def test_without_cards_labels_say_what_they_say(folder: str) -> None:
    names = ClassNames(folder)
    assert names.of(1).of("10-2026").value == 10
    assert names.of(None).of("mug").value is None


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "[" * 200_000, '{"names": {"mug": 5}}'],
    ids=["not JSON", "a list", "too deep", "no object"],
)
def test_a_card_that_cannot_be_used_is_named_once_and_stops_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    write_card(tmp_path, 1, text)
    names = ClassNames(str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert names.of(1).of("20").value == names.of(1).of("20").value == 20
    assert len(caplog.messages) == 1
    assert "1/assets.extra/model_card.json" in caplog.messages[0]


def test_a_card_that_comes_after_the_first_answers_is_read(tmp_path: Path) -> None:
    names = ClassNames(str(tmp_path))
    assert names.of(3).of("new").value is None
    write_card(tmp_path, 3, json.dumps({"names": {"new": {"value": 2}}}))
    assert names.of(3).of("new").value == 2
