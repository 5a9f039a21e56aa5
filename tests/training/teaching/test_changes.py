"""Which answers count as lost, and how they are reported."""

import numpy as np
import pytest

from training.teaching.changes import Change, Judged, by_chance, changes, require_kept, table


def change(
    name: str = "5", *, before: int, now: int, lost: int, of: int = 43, is_new: bool = False
) -> Change:
    return Change(name, of, before, now, now, 0, lost, is_new)


def test_pictures_are_counted_by_group_and_what_was_lost_apart_from_what_was_gained() -> None:
    labels, is_new = np.array(["5", "5", "5", "5"]), np.array([False, False, False, True])
    before = Judged(np.array(["5", "5", "Other", "Other"]), np.array([True, True, True, True]))
    after = Judged(np.array(["5", "Other", "5", "5"]), np.array([True, True, False, True]))
    assert changes(labels, is_new, before, after) == [
        Change("5", 3, 2, 2, 1, 1, 1),
        Change("new photos, 5", 1, 0, 1, 1, 0, 0, is_new=True),
    ]


def test_one_picture_less_is_no_loss_and_new_photos_cannot_be_lost() -> None:
    new = change("new photos, 10", before=30, now=0, lost=30, is_new=True)
    require_kept([change(before=8, now=7, lost=1, of=8), new], 0.0)


def test_a_class_that_is_named_like_new_photos_can_be_lost() -> None:
    with pytest.raises(ValueError, match="new photos of coins: 30 of 43 right, 0 now"):
        require_kept([change("new photos of coins", before=30, now=0, lost=30)], 0.1)


def test_more_than_the_limit_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"more than 5 % of a class.*5: 40 of 43 right, 30 now"):
        require_kept([change(before=40, now=30, lost=12)], 0.05)
    require_kept([change(before=40, now=30, lost=12)], 0.3)


def test_a_loss_that_may_be_chance_is_no_loss_and_one_that_is_not_is() -> None:
    three, four = (change(before=40, now=40 - n, lost=n) for n in (3, 4))
    assert (by_chance(three), by_chance(four)) == (1 / 8, 1 / 16)
    require_kept([three], 0.05)
    with pytest.raises(ValueError, match="36 now"):
        require_kept([four], 0.05)


def test_of_many_classes_one_is_soon_unlucky() -> None:
    kept = [change(str(n), before=40, now=40, lost=0) for n in range(6)]
    require_kept([change(before=40, now=34, lost=6), *kept], 0.1)
    with pytest.raises(ValueError, match="5: 40 of 43 right, 33 now"):
        require_kept([change(before=40, now=33, lost=7), *kept], 0.1)


def test_what_is_little_in_each_class_may_be_too_much_in_all() -> None:
    with pytest.raises(ValueError, match="all of before: 280 of 301 right, 245 now"):
        require_kept([change(str(n), before=40, now=35, lost=5) for n in range(7)], 0.1)


def test_gains_make_up_for_losses() -> None:
    assert by_chance(change(before=40, now=36, lost=7)) == pytest.approx(176 / 1024)
    require_kept([change(before=40, now=36, lost=7)], 0.05)


def test_half_of_a_class_of_few_pictures_is_a_loss() -> None:
    with pytest.raises(ValueError, match="3 of 3 right, 0 now"):
        require_kept([change(before=3, now=0, lost=3, of=3)], 0.05)


def test_the_table_has_a_row_for_each_group() -> None:
    lines = table([change(before=40, now=36, lost=7)]).splitlines()
    assert lines[-1] == "| 5 | 43 | 40 | 36 | 36 | 0 |"
    assert len({line.count("|") for line in lines}) == 1
