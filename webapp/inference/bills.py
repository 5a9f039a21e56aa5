"""From the counter's outputs to the bills of each photo, and to objections to a sure answer."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from serving.client import BadReply
from webapp.imaging.preprocessing import COUNT_SIZE, frame_in_square

_FAINT, _IN_DOUBT, _FOR_EACH = 0.2, 0.7, 0.25
"""A bill contradicts an answer whose value is seen too if its score reaches 0.2, and the smaller of
0.7 and 0.25 for each bill of that value after the first: slivers of a fan are sometimes misread. In
held-out scenes of one value, this withholds 31 of 1,191 sure answers (70 if every other bill
contradicts); of 1,500 scenes of several values 53 get one value (44, 530 by the classifier)."""

_CLEAR = 0.8
"""The lowest classifier probability at which several bills of its likeliest value confirm it. Of
268 unsure answers to held-out scenes of one value this makes 66 sure, all of them correct; of 951
to scenes of several values it makes 2 sure, and of 198 to pictures of something else none."""


class Bill(NamedTuple):
    """One bill on a photo.

    Attributes:
        name: Its class, a number of dollars such as `20`.
        box: Its four corners, clockwise, as shares of the upright photo's width and height.
        score: The confidence in its class and position, 0 to 1.
    """

    name: str
    box: list[list[float]]
    score: float


class CountedPhoto(NamedTuple):
    """The bills of one photo, the greatest value first, and whether the counter trusts the list."""

    bills: list[Bill]
    accepted: bool

    @property
    def total(self) -> int | None:
        """Dollars on the photo; None if the list is not accepted."""
        return sum(int(bill.name) for bill in self.bills) if self.accepted else None

    def to_json(self) -> dict[str, Any]:
        """Return the members of a prediction that describe its bills."""
        bills = [{"class": name, "box": box, "score": score} for name, box, score in self.bills]
        return {"bills": bills, "total": self.total}


class Contradiction(StrEnum):
    """Why a sure answer about one bill must not be given."""

    TWO_VALUES = "two_values"
    OTHER_VALUE = "other_value"


def contradiction(answered: str | None, counted: CountedPhoto) -> Contradiction | None:
    """Return how the counter contradicts the classifier's sure answer, or None.

    Bills of two values have no single value, and an answer whose value no bill has must be wrong,
    whether or not the counter trusts its list: no answer is then better than the classifier's.
    The exception is a bill in doubt next to several of the answer's value: it is one of these bills
    and misread. Bills in doubt do not contradict the answer that the photo shows no money. Several
    bills of one value agree with an answer of that value.

    Args:
        answered: The classifier's sure answer, in dollars or the label of a class that is not
            money; None if the classifier is not sure.
        counted: The bills that the counter sees.
    """
    if answered is None or not counted.bills:
        return None
    seen = {bill.name for bill in counted.bills if not _is_misread(bill, answered, counted)}
    if len(seen) > 1:
        return Contradiction.TWO_VALUES
    if answered not in seen and (counted.accepted or answered.isdecimal()):
        return Contradiction.OTHER_VALUE
    return None


def _is_misread(bill: Bill, answered: str, counted: CountedPhoto) -> bool:
    """Report whether a bill is more likely a misread bill of the answer's value."""
    if counted.accepted or bill.name == answered:
        return False
    alike = sum(each.name == answered for each in counted.bills)
    return alike > 0 and bill.score < max(_FAINT, min(_IN_DOUBT, _FOR_EACH * (alike - 1)))


def confirms(likeliest: str, probability: float, counted: CountedPhoto) -> bool:
    """Report whether the counter confirms the classifier's likeliest value as an answer.

    The classifier sees the whole photo, the counter the bills cut out of it: if both find the same
    single value, they agree. For one bill, the counter must accept its list. For several bills it
    is enough that all have the value and it is probable; their number may be in doubt.

    Args:
        likeliest: The classifier's likeliest value, which is not sure, as for `contradiction`.
        probability: The classifier's probability of that value.
        counted: The bills that the counter sees.
    """
    if {bill.name for bill in counted.bills} != {likeliest}:
        return False
    return counted.accepted or (len(counted.bills) > 1 and probability >= _CLEAR)


def without_gaps(answered: str | None, counted: CountedPhoto) -> CountedPhoto:
    """Mark a list as not accepted if it lacks the value of which the classifier is sure.

    A bill that the counter misses makes the sum too small, and the list still looks complete.

    Args:
        answered: As for `contradiction`; an answer that is no number of dollars is ignored.
        counted: The bills that the counter sees.
    """
    is_money = answered is not None and answered.isdecimal()
    if not is_money or answered in {bill.name for bill in counted.bills}:
        return counted
    return counted._replace(accepted=False)


def read_counts(
    outputs: Mapping[str, np.ndarray], sizes: Sequence[tuple[int, int]]
) -> list[CountedPhoto]:
    """Convert one batch of the counter's outputs to the bills of each photo.

    Args:
        outputs: For each of N pictures, P entries of which the first `count` are used:
            `boxes` float32 `[N, P, 4, 2]` in shares of the counter's square, `classes` bytes
            `[N, P]`, `scores` float32 `[N, P]`; and `count` int32 `[N]`, `accepted` bool `[N]`.
        sizes: Width and height of the N upright photos; only their ratio matters.

    Raises:
        BadReply: The outputs do not follow the contract.
    """
    try:
        _check(outputs, len(sizes))
        return [_counted(outputs, n, size) for n, size in enumerate(sizes)]
    except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
        raise BadReply(f"The counter's outputs do not follow the contract: {error!r}") from error


def _check(outputs: Mapping[str, np.ndarray], photos: int) -> None:
    places = outputs["classes"].shape[1:2]
    expected = {
        "boxes": (photos, *places, 4, 2),
        "classes": (photos, *places),
        "scores": (photos, *places),
        "count": (photos,),
        "accepted": (photos,),
    }
    found = {name: outputs[name].shape for name in expected}
    if found != expected:
        raise ValueError(f"expected {expected}, received {found}")
    if outputs["accepted"].dtype != np.bool_:
        raise ValueError(f"accepted: expected bool, received {outputs['accepted'].dtype}")
    count, scores = outputs["count"], outputs["scores"].astype(float)
    if not ((count >= 0) & (count <= places[0])).all():
        raise ValueError(f"counts {count.tolist()} for {places[0]} places")
    if not ((scores >= 0) & (scores <= 1)).all() or not np.isfinite(outputs["boxes"]).all():
        raise ValueError("scores that are no shares, or corners that are not numbers")


def _counted(outputs: Mapping[str, np.ndarray], n: int, size: tuple[int, int]) -> CountedPhoto:
    boxes = _in_photo(outputs["boxes"][n].astype(float), size)
    bills = [
        Bill(_value(outputs["classes"][n, k]), boxes[k].tolist(), _rounded(outputs["scores"][n, k]))
        for k in range(int(outputs["count"][n]))
    ]
    bills.sort(key=lambda bill: (-int(bill.name), -bill.score))
    return CountedPhoto(bills, bool(outputs["accepted"][n]))


def _value(name: bytes) -> str:
    text = name.decode()
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"expected a number of dollars, received {text!r}")
    return text


def _rounded(score: np.floating[Any]) -> float:
    return round(float(score), 4)


def _in_photo(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Convert corners `[P, 4, 2]` from shares of the counter's square to shares of the photo."""
    frame = frame_in_square(*size)
    shares = (boxes * COUNT_SIZE - (frame.left, frame.top)) / (frame.width, frame.height)
    return np.round(np.clip(shares, 0, 1), 4)
