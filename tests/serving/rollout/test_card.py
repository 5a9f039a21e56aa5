"""A model card that somebody else wrote says nothing rather than stopping a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serving.rollout.state.card import Kind, accuracy_of, classes_of, kind_of

DEEP = "[" * 100_000


def measured(share: float, of: float) -> str:
    """A card with an accuracy; `json` writes NaN and Infinity, and reads them."""
    return json.dumps({"measures": {"held_out": {"top_1": {"share": share, "of": of}}}})


@pytest.mark.parametrize(
    "card",
    [DEEP, measured(0.9, float("inf")), measured(float("nan"), 10), measured(90, 10)],
    ids=["deep", "infinite", "no number", "percent"],
)
def test_an_accuracy_that_makes_no_sense_is_none(tmp_path: Path, card: str) -> None:
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "model_card.json").write_text(card)
    assert accuracy_of(tmp_path) is None
    assert (kind_of(tmp_path), classes_of(tmp_path)) == (Kind.CLASSIFIER, [])
