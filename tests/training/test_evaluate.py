"""The figures, on answers whose figures are known by hand."""

import numpy as np
import pytest

from training import evaluate


def answers(*rows: tuple[str, str, float, bool]) -> evaluate.Answers:
    labels, said, confidence, accepted = zip(*rows, strict=True)
    return evaluate.Answers(
        list(labels), list(said), np.array(confidence, np.float32), np.array(accepted)
    )


SIX = answers(
    ("20", "20", 0.9, True),
    ("20", "10", 0.8, True),
    ("50", "50", 0.5, False),
    ("50", "Other", 0.9, True),
    ("Other", "1", 0.9, True),
    ("Other", "Other", 0.9, True),
)


def test_a_wrong_denomination_is_told_from_a_bill_that_was_missed() -> None:
    figures = evaluate.measures(SIX)
    assert figures["top_1"]["share"] == pytest.approx(3 / 6)
    assert figures["top_1_denominations"]["share"] == pytest.approx(2 / 4)
    assert figures["bills_answered"]["share"] == pytest.approx(1 / 4)
    assert figures["bills_wrong_and_accepted"]["share"] == pytest.approx(1 / 4)
    assert figures["bills_surely_called_other"]["share"] == pytest.approx(1 / 4)
    assert figures["other_taken_for_money"]["share"] == pytest.approx(1 / 2)


def test_the_confusion_counts_every_photo_once() -> None:
    confusion = evaluate.measures(SIX)["confusion"]
    assert confusion["20"] == {"10": 1, "20": 1}
    assert sum(sum(row.values()) for row in confusion.values()) == 6


@pytest.mark.parametrize(
    ("count", "of", "interval"),
    [(0, 10, [0.0, 0.2775]), (5, 10, [0.2366, 0.7634]), (80, 80, [0.9542, 1.0])],
)
def test_intervals_are_wilsons(count: int, of: int, interval: list[float]) -> None:
    assert evaluate.wilson(count, of) == pytest.approx(interval, abs=1e-4)


def test_a_share_of_nothing_is_unknown_not_zero() -> None:
    assert evaluate.share(np.zeros(0, bool))["share"] is None


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    always_80 = np.full(10, 0.8)
    assert evaluate.calibration_error(always_80, np.arange(10) < 8) == pytest.approx(0)
    assert evaluate.calibration_error(always_80, np.arange(10) < 5) == pytest.approx(0.3)


def test_the_table_names_every_share_with_its_interval() -> None:
    lines = evaluate.table(evaluate.measures(SIX))
    assert "top_1_denominations           0.5000  2 of 4, 95 % interval 0.150 to 0.850" in lines
