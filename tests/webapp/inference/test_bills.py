"""The counter's outputs become bills on the photo, and may contradict a sure answer."""

from typing import Any

import numpy as np
import pytest

from serving.client import BadReply
from webapp.inference.bills import (
    Bill,
    Contradiction,
    CountedPhoto,
    confirms,
    contradiction,
    read_counts,
    without_gaps,
)

PLACES = 16
# Half as wide and half as high as the square, in its middle.
MIDDLE = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]
SQUARE, LANDSCAPE, PORTRAIT = (448, 448), (800, 400), (400, 800)


def outputs(*names: str, accepted: bool = True, photos: int = 1) -> dict[str, np.ndarray]:
    """What the counter gives where each of its photos shows such bills in its middle."""
    found = {
        "boxes": np.zeros((photos, PLACES, 4, 2), np.float32),
        "classes": np.full((photos, PLACES), b"", np.object_),
        "scores": np.zeros((photos, PLACES), np.float32),
        "count": np.full(photos, len(names), np.int32),
        "accepted": np.full(photos, accepted),
    }
    for place, name in enumerate(names):
        found["boxes"][:, place] = MIDDLE
        found["classes"][:, place] = name.encode()
        found["scores"][:, place] = 0.9 - 0.1 * place
    return found


def counted(*names: str, accepted: bool = True) -> CountedPhoto:
    return CountedPhoto([Bill(name, MIDDLE, 0.9) for name in names], accepted)


def test_bills_come_by_value_with_their_sum() -> None:
    [photo] = read_counts(outputs("1", "100", "20", "20"), [SQUARE])
    assert [bill.name for bill in photo.bills] == ["100", "20", "20", "1"]
    assert photo.total == 141
    assert photo.to_json()["bills"][0] == {"class": "100", "box": MIDDLE, "score": 0.8}


def test_of_two_equal_bills_the_surer_one_comes_first() -> None:
    [photo] = read_counts(outputs("20", "20"), [SQUARE])
    assert [bill.score for bill in photo.bills] == [0.9, 0.8]


def test_a_list_that_is_not_accepted_has_no_sum() -> None:
    [photo] = read_counts(outputs("20", "1", accepted=False), [SQUARE])
    assert photo.to_json()["total"] is None
    assert len(photo.bills) == 2


def test_a_photo_without_bills_has_the_sum_of_none() -> None:
    [photo] = read_counts(outputs(), [SQUARE])
    assert photo.to_json() == {"bills": [], "total": 0}


@pytest.mark.parametrize(
    ("size", "box"),
    [
        (SQUARE, MIDDLE),
        # The photo is the middle half of the square's height: the bill covers all of that.
        (LANDSCAPE, [[0.25, 0.0], [0.75, 0.0], [0.75, 1.0], [0.25, 1.0]]),
        (PORTRAIT, [[0.0, 0.25], [1.0, 0.25], [1.0, 0.75], [0.0, 0.75]]),
    ],
)
def test_corners_are_shares_of_the_photo_and_not_of_the_square(
    size: tuple[int, int], box: list[list[float]]
) -> None:
    [photo] = read_counts(outputs("20"), [size])
    assert photo.bills[0].box == box


def test_corners_beyond_the_photo_are_cut_to_it() -> None:
    beyond = outputs("20")
    beyond["boxes"][0, 0] = [[-0.1, 0.3], [0.5, 0.0], [1.2, 0.9], [0.5, 1.0]]
    [photo] = read_counts(beyond, [LANDSCAPE])
    assert photo.bills[0].box == [[0.0, 0.1], [0.5, 0.0], [1.0, 1.0], [0.5, 1.0]]


def test_each_photo_of_a_batch_gets_its_own() -> None:
    batch = outputs("20", photos=3)
    batch["count"][1] = 0
    photos = read_counts(batch, [SQUARE, LANDSCAPE, PORTRAIT])
    assert [len(photo.bills) for photo in photos] == [1, 0, 1]


def test_a_value_that_nobody_here_has_heard_of_counts() -> None:
    assert read_counts(outputs("2", "500"), [SQUARE])[0].total == 502


@pytest.mark.parametrize(
    "change",
    [
        {"boxes": np.zeros((1, PLACES, 4), np.float32)},
        {"boxes": np.full((1, PLACES, 4, 2), np.nan, np.float32)},
        {"classes": np.full((1, 3), b"20", np.object_)},
        {"classes": np.full((1, PLACES), b"Other", np.object_)},
        {"classes": np.full((1, PLACES), b"\xff", np.object_)},
        {"classes": np.zeros((1, PLACES), np.int64)},
        {"scores": np.full((1, PLACES), 1.5, np.float32)},
        {"scores": np.full((1, PLACES), np.nan, np.float32)},
        {"count": np.array([PLACES + 1], np.int32)},
        {"count": np.array([-1], np.int32)},
        {"count": np.array(1, np.int32)},
        {"accepted": np.array([True, True])},
        {"accepted": np.array([0.2], np.float32)},
        {"accepted": np.array([b"false"], np.object_)},
    ],
    ids=lambda change: "-".join(f"{name} {array.flat[0]}" for name, array in change.items()),
)
def test_outputs_of_another_form_are_a_bad_reply(change: dict[str, Any]) -> None:
    with pytest.raises(BadReply, match="contract"):
        read_counts(outputs("20") | change, [SQUARE])


@pytest.mark.parametrize("missing", ["boxes", "classes", "scores", "count", "accepted"])
def test_a_missing_output_is_a_bad_reply(missing: str) -> None:
    incomplete = {name: array for name, array in outputs("20").items() if name != missing}
    with pytest.raises(BadReply, match=missing):
        read_counts(incomplete, [SQUARE])


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("sure_of", ["20", "1", "50", "Other"])
def test_two_different_bills_forbid_any_single_answer(sure_of: str, accepted: bool) -> None:
    seen = counted("20", "20", "1", accepted=accepted)
    assert contradiction(sure_of, seen) is Contradiction.TWO_VALUES


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("seen", [("20",), ("20", "20")])
def test_bills_of_another_value_alone_forbid_the_answer(
    seen: tuple[str, ...], accepted: bool
) -> None:
    found = counted(*seen, accepted=accepted)
    assert contradiction("50", found) is Contradiction.OTHER_VALUE
    assert contradiction("Other", found) is (Contradiction.OTHER_VALUE if accepted else None)


@pytest.mark.parametrize(
    ("sure_of", "seen"),
    [
        ("20", counted("20")),
        ("20", counted("20", "20", "20")),
        ("20", counted("20", "20", accepted=False)),
        ("20", counted()),
        ("Other", counted()),
        (None, counted("20", "50")),
    ],
)
def test_anything_else_leaves_the_answer_as_it_is(sure_of: str | None, seen: CountedPhoto) -> None:
    assert contradiction(sure_of, seen) is None


def bills(*seen: tuple[str, float], accepted: bool = False) -> CountedPhoto:
    """Bills of some values, each with its score."""
    return CountedPhoto([Bill(name, MIDDLE, score) for name, score in seen], accepted)


TWENTY, SLIVER = ("20", 0.9), ("1", 0.4)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([TWENTY, TWENTY, TWENTY, SLIVER], None),
        ([TWENTY, TWENTY, SLIVER], Contradiction.TWO_VALUES),
        ([*[TWENTY] * 6, ("1", 0.7)], Contradiction.TWO_VALUES),
        ([TWENTY, ("1", 0.2)], Contradiction.TWO_VALUES),
        ([TWENTY, ("1", 0.19), ("5", 0.1)], None),
        ([TWENTY, TWENTY, TWENTY, SLIVER, ("5", 0.55)], Contradiction.TWO_VALUES),
    ],
    ids=["among many", "among few", "no doubt", "beside one alone", "faint", "one of two"],
)
def test_a_bill_in_doubt_among_many_of_one_value_is_one_of_them(
    seen: list[tuple[str, float]], expected: Contradiction | None
) -> None:
    assert contradiction("20", bills(*seen)) is expected
    assert contradiction("50", bills(*seen)) is Contradiction.TWO_VALUES
    assert contradiction("20", bills(*seen, accepted=True)) is Contradiction.TWO_VALUES


@pytest.mark.parametrize(
    ("probability", "seen"),
    [
        (0.3, counted("20")),
        (0.3, counted("20", "20")),
        (0.8, counted("20", "20", accepted=False)),
    ],
    ids=["one that is sure", "two that are sure", "two, while likely"],
)
def test_bills_of_the_likeliest_value_alone_confirm_it(
    probability: float, seen: CountedPhoto
) -> None:
    assert confirms("20", probability, seen)


@pytest.mark.parametrize(
    ("probability", "seen"),
    [
        (0.9, counted("50")),
        (0.9, counted("20", "1")),
        (0.9, counted("20", accepted=False)),
        (0.7, counted("20", "20", accepted=False)),
    ],
    ids=["another value", "two values", "one in doubt", "two in doubt, while less likely"],
)
def test_anything_else_confirms_nothing(probability: float, seen: CountedPhoto) -> None:
    assert not confirms("20", probability, seen)


def test_an_empty_list_confirms_no_money() -> None:
    assert not confirms("Other", 0.9, counted())


@pytest.mark.parametrize("seen", [(), ("5",), ("5", "1")])
def test_a_list_without_the_value_that_is_sure_has_no_sum(seen: tuple[str, ...]) -> None:
    found = without_gaps("10", counted(*seen))
    assert found.total is None
    assert [bill.name for bill in found.bills] == [*seen]


@pytest.mark.parametrize(
    ("sure_of", "seen"), [("10", ("10", "5")), (None, ("5",)), ("Other", ("5", "1")), ("Other", ())]
)
def test_any_other_list_keeps_its_sum(sure_of: str | None, seen: tuple[str, ...]) -> None:
    assert without_gaps(sure_of, counted(*seen)) == counted(*seen)
