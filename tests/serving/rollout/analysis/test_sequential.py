"""The sequential test decides when it can, and errs no more often than it states."""

import random

import pytest

from serving.rollout.analysis.sequential import Proportion, Verdict

LIMIT, ERROR = 0.02, 0.01


def share(bad: int, of: int) -> Proportion:
    return Proportion(bad, of, LIMIT, ERROR)


@pytest.mark.parametrize(
    ("bad", "of", "verdict"),
    [
        (0, 0, Verdict.OPEN),
        (1, 1, Verdict.OPEN),
        (1, 20, Verdict.OPEN),
        (0, 100, Verdict.OPEN),
        (0, 400, Verdict.KEPT),
        (6, 6, Verdict.BROKEN),
        (20, 200, Verdict.BROKEN),
        (20, 1000, Verdict.OPEN),
        (20, 4000, Verdict.KEPT),
    ],
)
def test_it_decides_by_how_much_was_seen(bad: int, of: int, verdict: Verdict) -> None:
    assert share(bad, of).verdict() is verdict


def test_the_possible_shares_hold_the_one_seen_and_leave_out_a_limit_that_is_decided() -> None:
    for bad, of in ((0, 50), (3, 100), (0, 400), (20, 200), (100, 100), (0, 0)):
        low, high = share(bad, of).bounds()
        assert 0 <= low <= (bad / of if of else 0) <= high <= 1
        decided = not low <= LIMIT <= high
        assert decided == (share(bad, of).verdict() is not Verdict.OPEN)


def test_how_many_more_are_needed_is_about_right() -> None:
    needed = share(0, 50).more()
    assert needed is not None
    assert share(0, 50 + needed).verdict() is Verdict.KEPT
    assert share(0, 50 + needed * 8 // 10).verdict() is Verdict.OPEN
    assert share(0, 400).more() == 0
    assert share(20, 1000).more() is None


@pytest.mark.parametrize(
    ("true", "wrong"), [(LIMIT * 1.001, Verdict.KEPT), (LIMIT * 0.999, Verdict.BROKEN)]
)
def test_looking_after_every_event_it_errs_no_more_often_than_stated(
    true: float, wrong: Verdict
) -> None:
    chance, error, runs = random.Random(0), 0.1, 300
    erred = 0
    for _ in range(runs):
        bad = 0
        for of in range(1, 1500):
            bad += chance.random() < true
            if (
                of % 5 == 0
                and (verdict := Proportion(bad, of, LIMIT, error).verdict()) is not Verdict.OPEN
            ):
                erred += verdict is wrong
                break
    assert erred <= error * runs


def test_what_is_far_from_the_limit_is_soon_decided() -> None:
    chance = random.Random(0)
    for true, expected in ((0.1, Verdict.BROKEN), (0.002, Verdict.KEPT)):
        bad = 0
        for of in range(1, 3000):
            bad += chance.random() < true
            if share(bad, of).verdict() is not Verdict.OPEN:
                break
        assert share(bad, of).verdict() is expected
        assert of < 1500
