"""Times become figures, and figures become the text of the page."""

import math
from collections.abc import Callable

import pytest

from bench.load.generator import Load
from bench.report.figures import Spread, of_load, of_loop, ratio, spread, total
from bench.report.targets import Target, format_spread, least, most, number


def test_a_slice_has_percentiles_rate_and_processor_for_an_answer() -> None:
    found = of_loop([float(each) for each in range(1, 102)], seconds=2.0, cpu=0.505)
    assert (found.p50, found.p95, found.p99) == (51, 96, 100)
    assert found.rate == 50.5
    assert found.cpu == pytest.approx(5)


def test_answers_that_failed_are_counted_and_not_timed() -> None:
    load = Load([10.0, 20.0], {"200": 2, "429": 3, "0": 1}, 1.0, 100, 50)
    found = of_load(load, cpu=0.02)
    assert (found.failed, found.rate, found.cpu, found.sent) == (4, 2, 10, 100)


def test_where_nothing_was_answered_no_figure_is_made_up() -> None:
    found = of_load(Load([], {"0": 7}, 1.0, 0, 0), cpu=1.0)
    assert found.failed == 7
    assert all(math.isnan(each) for each in found[:5])


def test_a_ratio_is_taken_within_each_round() -> None:
    # The second round found the machine twice as slow, for both.
    assert ratio([2, 4, 2], [1, 2, 1]) == Spread(2, 2, 2)
    assert ratio([2, 4, 3], [1, 1, 1]) == Spread(3, 2, 4)
    with pytest.raises(ValueError, match="shorter"):
        ratio([1, 2], [1])


def test_a_round_without_an_answer_is_left_out_wherever_it_is() -> None:
    for values in ([math.nan, 1.0, 9.0], [9.0, math.nan, 1.0]):
        assert spread(values) == Spread(5, 1, 9)
        assert not most("p50", 3, spread(values)).held


@pytest.mark.parametrize("compared", [most, least])
def test_where_no_round_has_an_answer_a_target_is_not_held(
    compared: Callable[[str, float, Spread], Target],
) -> None:
    target = compared("p50", 3, spread([math.nan, math.nan]))
    assert (target.found, target.held) == ("-", False)


def test_sums_are_taken_within_each_round_too() -> None:
    assert spread(total([1, 2, 3], [10, 20, 30])) == Spread(22, 11, 33)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.12345, "0.123"), (12.345, "12.3"), (1234.5, "1,230"), (2.0, "2")],
)
def test_numbers_have_three_figures_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_a_spread_that_is_none_is_told_as_one_number() -> None:
    assert format_spread(Spread(2.0, 2.0, 2.0)) == "2"
    assert format_spread(Spread(2.0, 1.5, 3.14159)) == "2 (1.5 to 3.14)"
