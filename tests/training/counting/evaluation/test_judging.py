"""Fixed scenes of each kind, and the figures of what a counter found in them."""

import numpy as np
import pytest

from training.counting.evaluation import judging
from training.counting.evaluation.judging import Answer, Kind
from training.counting.scenes.compose import LAID_FLAT
from training.counting.scenes.stock import Stock


@pytest.mark.parametrize("kind", judging.KINDS.values(), ids=judging.KINDS)
def test_scenes_of_a_kind_have_its_bills_and_are_always_the_same(kind: Kind, stock: Stock) -> None:
    one, other = (list(judging.scenes(kind, stock, 3, 4, hard=True)) for _ in range(2))
    least, most = kind.numbers
    for made, again in zip(one, other, strict=True):
        assert least <= len(made.bills) <= most
        assert np.array_equal(made.pixels, again.pixels)


def test_where_all_photos_are_of_one_class_no_scene_shows_two(stock: Stock) -> None:
    of_one = stock._replace(
        bills={"5": stock.bills["5"]}, known=[each for each in stock.known if each.label == "5"]
    )
    kinds = judging.kinds_of(of_one)
    assert kinds.keys() == {name for name, kind in judging.KINDS.items() if not kind.differ}
    assert judging.kinds_of(stock) == judging.KINDS
    alone = judging.kinds_of(stock._replace(known=[]))
    assert alone.keys() == {name for name, kind in judging.KINDS.items() if not kind.photos}


def test_one_kind_alone_has_hands_so_that_the_others_stay_comparable() -> None:
    held = [name for name, kind in judging.KINDS.items() if kind.handling != LAID_FLAT]
    assert held == ["1 to 4 bills, bent and held by a hand"]


def test_a_wrong_sum_counts_where_it_was_trusted() -> None:
    given = [
        Answer(["1", "20"], ["1", "20"], True),
        Answer(["1", "20"], ["20"], True),
        Answer(["1", "20"], ["20"], False),
        Answer(["20"], ["10", "10"], True),
    ]
    found = judging.figures(given)
    assert found["exact count"]["count"] == 1
    assert found["exact sum"]["count"] == 2
    assert found["wrong sum while sure"]["count"] == 1
    assert found["several bills, surely one"]["count"] == 1
