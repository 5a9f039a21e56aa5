"""One threshold keeps a stated risk over all lists, another over lists of the hardest scenes."""

import numpy as np
import pytest

from training.counting.thresholds import strictest
from training.export.calibration import select

SURE = np.linspace(1, 0, 400)


def wrong_at(*places: int) -> np.ndarray:
    right = SURE > 0.3
    right[list(places)] = False
    return right


def test_where_the_hardest_are_right_the_threshold_is_that_of_all() -> None:
    right, hardest = wrong_at(), np.arange(400) % 4 == 0
    assert strictest(SURE, right, hardest, 0.05, 0.01) == select(SURE, right, 0.05)


def test_wrong_lists_of_the_hardest_scenes_raise_it() -> None:
    hardest = np.arange(400) % 4 == 0
    right = wrong_at(40, 44, 60)
    chosen = strictest(SURE, right, hardest, 0.05, 0.01)
    assert select(SURE, right, 0.05).threshold < SURE[44]
    assert SURE[44] < chosen.threshold < SURE[43]
    assert (chosen.wrong, chosen.accepted, chosen.of) == (1, 44, 400)
    assert 0 < chosen.at_most < 0.2


def test_wrong_lists_of_others_do_not() -> None:
    hardest = np.arange(400) % 4 == 0
    right = wrong_at(41, 45, 61)
    assert strictest(SURE, right, hardest, 0.05, 0.01) == select(SURE, right, 0.05)


@pytest.mark.parametrize("surest", [1.0, 0.9])
def test_where_the_surest_of_all_is_wrong_nothing_is_accepted(surest: float) -> None:
    sure = SURE * surest
    chosen = strictest(sure, np.zeros(400, bool), np.ones(400, bool), 0.05, 0.0)
    assert (chosen.accepted, chosen.at_most) == (0, 1.0)
    assert chosen.threshold > surest
