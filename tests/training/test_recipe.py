"""The settings of a run that are not plain numbers."""

import pytest

from training.recipe import Recipe, weights


def test_weights_are_pairs_of_a_name_and_a_number() -> None:
    assert weights("10=3,a=b=0.5", ["10", "5", "a=b"], "class") == {"10": 3.0, "a=b": 0.5}
    assert weights("", ["10"], "class") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("20=3", r"Unknown class '20' in '20=3'. Expected one of \['10', '5'\]"),
        ("10", "Unknown class ''"),
        ("10=much", "'much' in '10=much' is no weight. Expected a number above 0"),
        ("10=0", "'0' in '10=0' is no weight"),
        ("10=nan", "'nan' in '10=nan' is no weight"),
        ("10=inf", "'inf' in '10=inf' is no weight"),
    ],
)
def test_a_weight_of_another_form_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        weights(text, ["10", "5"], "class")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"batch": 0}, "Expected --batch to be a finite number of at least 1. Received: 0"),
        ({"views": -3}, "Expected --views to be a finite number of at least 1. Received: -3"),
        ({"rate": float("nan")}, "Expected --rate to be a finite number of at least 1e-09. Rec"),
        ({"rate": float("inf")}, "Expected --rate to be a finite number of at least 1e-09. Rec"),
        ({"other_share": float("inf")}, "Expected --other-share to be a finite number"),
        ({"patience": 0}, "Expected --patience to be a finite number of at least 1. Received: 0"),
        ({"smoothing": 1.5}, "Expected --smoothing to be a number from 0 to 1. Received: 1.5"),
        ({"seed": -1}, "Expected --seed to be a number from 0 to 4294967295. Received: -1"),
    ],
)
def test_a_number_out_of_its_range_is_refused(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**setting)  # type: ignore[arg-type]
