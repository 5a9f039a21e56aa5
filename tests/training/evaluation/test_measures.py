"""The measures, on answers whose results are known by hand."""

from pathlib import Path

import numpy as np
import pytest

from training.data.dataset import Photo
from training.evaluation.measures import (
    Answers,
    augrc,
    calibration_error,
    coverage_at,
    measures,
    reliability,
    risk_coverage,
    share,
    wilson,
    wrong_at_most,
)


def answers(*rows: tuple[str, str, str, float, bool]) -> Answers:
    labels, kinds, said, confidence, accepted = zip(*rows, strict=True)
    photos = [
        Photo(Path(label, f"a-{n}.jpg"), label, "a", kind)
        for n, (label, kind) in enumerate(zip(labels, kinds, strict=True))
    ]
    return Answers(
        photos,
        list(said),
        np.array(confidence, np.float32),
        np.array(accepted),
        np.array([confidence], np.float32).T,
    )


SIX = answers(
    ("20", "", "20", 0.9, True),
    ("20", "", "10", 0.8, True),
    ("50", "", "50", 0.5, False),
    ("50", "", "Other", 0.9, True),
    ("Other", "eur", "1", 0.9, True),
    ("Other", "object", "Other", 0.9, True),
)


def test_a_wrong_denomination_is_told_from_a_bill_that_was_missed() -> None:
    figures = measures(SIX)
    assert figures["top_1"]["share"] == pytest.approx(3 / 6)
    assert figures["top_1_denominations"]["share"] == pytest.approx(2 / 4)
    assert figures["bills_answered"]["share"] == pytest.approx(1 / 4)
    assert figures["bills_wrong_and_accepted"]["share"] == pytest.approx(1 / 4)
    assert figures["bills_surely_called_other"]["share"] == pytest.approx(1 / 4)
    assert figures["other_taken_for_money"]["share"] == pytest.approx(1 / 2)


def test_false_acceptances_are_counted_by_kind() -> None:
    kinds = measures(SIX)["other_taken_for_money_by_kind"]
    assert {kind: value["count"] for kind, value in kinds.items()} == {"eur": 1, "object": 0}


def test_precision_is_of_what_was_said_and_recall_of_what_it_was() -> None:
    figures = measures(SIX)["by_class"]
    assert (figures["20"]["precision"]["of"], figures["20"]["recall"]["of"]) == (1, 2)
    assert figures["Other"]["precision"]["share"] == pytest.approx(1 / 2)
    assert figures["50"]["recall"]["share"] == pytest.approx(1 / 2)


def test_a_class_is_answered_where_the_right_answer_is_sure() -> None:
    figures = measures(SIX)["by_class"]
    assert (figures["20"]["answered"]["count"], figures["20"]["answered"]["of"]) == (1, 2)
    assert (figures["50"]["answered"]["count"], figures["50"]["answered"]["of"]) == (0, 2)


def test_unsure_answers_are_those_not_accepted_the_least_sure_first() -> None:
    rows = [("5", "", "5", 0.6, False), ("5", "", "5", 0.9, True), ("5", "", "1", 0.3, False)]
    assert answers(*rows).unsure == [2, 0]


def test_the_confusion_counts_every_photo_once() -> None:
    confusion = measures(SIX)["confusion"]
    assert confusion["20"] == {"10": 1, "20": 1}
    assert sum(sum(row.values()) for row in confusion.values()) == 6


@pytest.mark.parametrize(
    ("count", "of", "interval"),
    [(0, 10, [0.0, 0.2775]), (5, 10, [0.2366, 0.7634]), (80, 80, [0.9542, 1.0])],
)
def test_intervals_are_wilsons(count: int, of: int, interval: list[float]) -> None:
    assert wilson(count, of) == pytest.approx(interval, abs=1e-4)


def test_a_share_of_nothing_is_unknown_not_zero() -> None:
    assert share(np.zeros(0, bool))["share"] is None


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    always_80 = np.full(10, 0.8)
    assert calibration_error(always_80, np.arange(10) < 8) == pytest.approx(0)
    assert calibration_error(always_80, np.arange(10) < 5) == pytest.approx(0.3)


def test_reliability_leaves_empty_bins_out_and_counts_every_answer() -> None:
    bins = reliability(np.array([0.1, 0.9, 0.95, 1.0]), np.array([False, True, False, True]))
    assert [b["count"] for b in bins] == [1, 1, 2]
    assert bins[-1]["right"] == pytest.approx(0.5)


def test_risk_rises_with_coverage_where_the_surest_answers_are_the_right_ones() -> None:
    curve = risk_coverage(np.array([0.5, 0.9, 0.7, 0.8]), np.array([False, True, True, True]))
    assert [point["coverage"] for point in curve] == [0.25, 0.5, 0.75, 1.0]
    assert [point["risk"] for point in curve] == [0, 0, 0, 0.25]
    assert curve[0]["threshold"] == pytest.approx(0.9)


def test_a_long_curve_is_thinned_but_keeps_its_ends() -> None:
    curve = risk_coverage(np.linspace(0, 1, 5000), np.ones(5000, bool))
    assert len(curve) <= 100
    assert curve[0]["coverage"] == pytest.approx(1 / 5000)
    assert curve[-1]["coverage"] == 1


def test_the_bound_is_the_share_at_which_so_few_mistakes_are_as_rare_as_stated() -> None:
    # With none wrong it is 1 - (1 - confidence)^(1 / n).
    assert wrong_at_most(0, 480, 0.99) == pytest.approx(1 - 0.01 ** (1 / 480))
    # Clopper and Pearson's table: 2 of 30, one-sided 97.5 %.
    assert wrong_at_most(2, 30, 0.975) == pytest.approx(0.2207, abs=1e-4)
    assert wrong_at_most(5, 5) == 1
    assert wrong_at_most(0, 0) == 1


def test_augrc_is_the_mean_share_of_answers_that_are_given_and_wrong() -> None:
    surest_right = augrc(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, True, False]))
    surest_wrong = augrc(np.array([0.9, 0.8, 0.7, 0.6]), np.array([False, True, True, True]))
    assert surest_right == pytest.approx(0.25 / 4)
    assert surest_wrong == pytest.approx(0.25)


def test_coverage_at_a_risk_is_the_most_that_can_be_answered() -> None:
    confidence, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True])
    assert coverage_at(0.0, confidence, right) == 0.5
    assert coverage_at(0.25, confidence, right) == 1.0
    assert coverage_at(0.0, confidence, ~right) == 0.0
