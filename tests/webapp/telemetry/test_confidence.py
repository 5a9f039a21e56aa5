"""The confidence of the model, and the confidence that its model card predicts."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests import specimen
from tests.support.servers import ROOT
from tests.webapp.sending import send
from training.evaluation import measures
from webapp.telemetry.confidence import BINS, LABELS, ExpectedConfidence, label_of, shares

BILL = specimen.encode(specimen.bill("20"), "JPEG")
SHIPPED = ROOT / "models" / "us_bills"


def card_of(**counts: int) -> dict[str, Any]:
    """A card whose bins `b0` to `b14` have so many pictures."""
    bins = [
        {"confidence": (int(name[1:]) + 0.5) / BINS, "right": 1.0, "count": count}
        for name, count in counts.items()
    ]
    return {"measures": {"held_out": {"reliability": bins}}}


def test_the_bins_are_those_of_the_model_card() -> None:
    assert measures.BINS == BINS == len(set(LABELS))


@pytest.mark.parametrize(
    ("confidence", "label"),
    [(0.0, "0.00-0.07"), (0.5, "0.47-0.53"), (0.94, "0.93-1.00"), (1.0, "0.93-1.00")],
)
def test_a_confidence_has_one_bin(confidence: float, label: str) -> None:
    assert label_of(confidence) == label


def test_the_shares_of_a_card_sum_to_one_and_none_is_zero() -> None:
    found = shares(card_of(b14=90, b3=10))
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) == pytest.approx(0.5 / 107.5)
    assert found["0.93-1.00"] == pytest.approx(90.5 / 107.5)
    assert found["0.20-0.27"] == pytest.approx(10.5 / 107.5)


def test_pictures_of_another_source_tell_more_than_those_held_out() -> None:
    card = card_of(b14=1)
    card["measures"]["other_source"] = card_of(b0=1)["measures"]["held_out"]
    assert max(shares(card), key=lambda label: shares(card)[label]) == LABELS[0]


def test_the_shipped_cards_tell_it() -> None:
    expected = ExpectedConfidence(str(SHIPPED)).expected()
    assert expected.keys() == {1, 2}
    assert all(each["0.93-1.00"] > 0.9 for each in expected.values())


def bin_of(figures: str) -> str:
    """The text of a card with one bin."""
    return f'{{"measures": {{"held_out": {{"reliability": [{{{figures}}}]}}}}}}'


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"measures": {"held_out": {}}}',
        bin_of('"confidence": Infinity, "count": 1'),
        bin_of('"confidence": -9, "count": 1'),
        bin_of('"confidence": 0.5, "count": -7.5'),
        None,
    ],
)
def test_a_card_that_tells_nothing_is_named_once_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str | None
) -> None:
    for version, text in ((1, content), (2, json.dumps(card_of(b14=3)))):
        folder = tmp_path / str(version) / "assets.extra"
        folder.mkdir(parents=True)
        if text is not None:
            (folder / "model_card.json").write_text(text)
    cards = ExpectedConfidence(str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert cards.expected().keys() == cards.expected().keys() == {2}
    assert len(caplog.messages) == 1
    assert "1/assets.extra/model_card.json" in caplog.messages[0]


@pytest.mark.parametrize("folder", ["", "nowhere/at/all", __file__])
def test_without_a_folder_of_versions_nothing_is_expected(folder: str) -> None:
    assert ExpectedConfidence(folder).expected() == {}


def test_a_version_that_appears_is_seen(tmp_path: Path) -> None:
    cards = ExpectedConfidence(str(tmp_path))
    assert cards.expected() == {}
    (tmp_path / "3").symlink_to(SHIPPED / "1")
    (tmp_path / ".new").mkdir()
    assert cards.expected().keys() == {3}


def test_a_card_that_is_copied_after_the_first_look_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "3" / "assets.extra"
    folder.mkdir(parents=True)
    cards = ExpectedConfidence(str(tmp_path))
    assert cards.expected() == {}
    (folder / "model_card.json").write_text(json.dumps(card_of(b14=3)))
    assert cards.expected().keys() == {3}


def test_photos_are_counted_by_answer_and_confidence_and_frames_are_not(
    client_for: Callable[..., FlaskClient],
) -> None:
    client = client_for(models=str(SHIPPED))
    [answer] = send(client, BILL).get_json()["predictions"]
    said = answer["denomination"] or "unsure"
    label = label_of(max(answer["probabilities"].values()))
    client.post("/predict?frame=1", data=BILL, content_type="image/jpeg")
    page = client.get("/metrics").text
    labels = f'answer="{said}",confidence="{label}",version="1"'
    assert f"us_bills_photos_total{{{labels}}} 1.0" in page
    assert f'us_bills_answers_total{{answer="{said}",version="1"}} 2.0' in page
    assert page.count("us_bills_confidence_expected{") == 2 * BINS


def test_a_frame_is_a_frame_or_none(client_for: Callable[..., FlaskClient]) -> None:
    reply = client_for().post("/predict?frame=2", data=BILL, content_type="image/jpeg")
    assert reply.status_code == 400
    assert "frame" in reply.get_json()["detail"]
