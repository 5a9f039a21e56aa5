"""From the counter's outputs to the bills of each photo, and what speaks against a sure answer."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from serving.client import BadReply
from webapp.imaging.preprocessing import COUNT_SIZE, frame_in_square

_IN_DOUBT, _FOR_EACH = 0.7, 0.25
"""A bill speaks against the answer where it is surer than the first, or than the second times the
further bills of the answer's value: slivers of a fan are sometimes read wrongly. In held-out scenes
of one value that withholds 39 of 1,194 sure answers (73 where each sliver speaks against them); of
1,500 scenes of several values 50 get one value (44, and 530 by the classifier alone)."""

_CLEAR = 0.8
"""The classifier's probability from which several bills of its likeliest value confirm it. Of 268
unsure answers to held-out scenes of one value they make 66 sure, all right; of 951 to scenes of
several values two, and of 198 to pictures of something else none."""


class Bill(NamedTuple):
    """One bill on a photo.

    Attributes:
        name: Its class, a number of dollars such as `20`.
        box: Its four corners, clockwise, as shares of the upright photo's width and height.
        score: How sure its class and place are, 0 to 1.
    """

    name: str
    box: list[list[float]]
    score: float


class CountedPhoto(NamedTuple):
    """The bills of one photo, the greatest value first, and whether to trust the list."""

    bills: list[Bill]
    accepted: bool

    @property
    def total(self) -> int | None:
        """Dollars on the photo; None where the list is not to be trusted."""
        return sum(int(bill.name) for bill in self.bills) if self.accepted else None

    def to_json(self) -> dict[str, Any]:
        """The members of a prediction that tell of several bills."""
        bills = [{"class": name, "box": box, "score": score} for name, box, score in self.bills]
        return {"bills": bills, "total": self.total}


class Contradiction(StrEnum):
    """Why a sure answer about one bill must not be given."""

    TWO_VALUES = "two_values"
    OTHER_VALUE = "other_value"


def contradiction(answered: str | None, counted: CountedPhoto) -> Contradiction | None:
    """Tell what the counter has against the classifier's sure answer.

    Two different bills on a photo have no single value, and a value that none of them has is not
    theirs, whether or not the counter trusts its list: there no answer is better than that one.
    Bills in doubt say nothing against the answer that there is no money. Only one in doubt beside
    several of the answer's value is no second one: it is one of them, read wrongly. Several bills
    of one value agree with an answer that names it.

    Args:
        answered: The classifier's sure answer, in dollars or the name of what is no money; None
            where it is not sure.
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
    """Tell whether a bill is more likely one of the answer's value than a second one."""
    if counted.accepted or bill.name == answered:
        return False
    alike = sum(each.name == answered for each in counted.bills)
    return bill.score < min(_IN_DOUBT, _FOR_EACH * (alike - 1))


def confirms(likeliest: str, probability: float, counted: CountedPhoto) -> bool:
    """Tell whether the counter makes the classifier's likeliest value an answer.

    The classifier sees the whole photo, the counter what it cut out of it: where both find one
    value alone, they agree. One bill must be surely seen for that; of several, which the classifier
    was never sure about, it is enough that all have the value, and their number may be in doubt.

    Args:
        likeliest: What the classifier finds likeliest without being sure, as for `contradiction`.
        probability: How likely it finds that.
        counted: The bills that the counter sees.
    """
    if {bill.name for bill in counted.bills} != {likeliest}:
        return False
    return counted.accepted or (len(counted.bills) > 1 and probability >= _CLEAR)


def without_gaps(answered: str | None, counted: CountedPhoto) -> CountedPhoto:
    """Take the trust from a list that lacks the value of which the classifier is sure.

    A bill that is not found leaves a sum that is too small, and a list that looks whole.

    Args:
        answered: As for `contradiction`. What is no number of dollars says nothing about a list.
        counted: The bills that the counter sees.
    """
    is_money = answered is not None and answered.isdecimal()
    if not is_money or answered in {bill.name for bill in counted.bills}:
        return counted
    return counted._replace(accepted=False)


def read_counts(
    outputs: Mapping[str, np.ndarray], sizes: Sequence[tuple[int, int]]
) -> list[CountedPhoto]:
    """Turn one batch of the counter's outputs into the bills of each photo.

    Args:
        outputs: For each of N pictures and P places on it, of which the first `count` are taken:
            `boxes` float32 `[N, P, 4, 2]` in shares of the counter's square, `classes` bytes
            `[N, P]`, `scores` float32 `[N, P]`; and `count` int32 `[N]`, `accepted` bool `[N]`.
        sizes: Width and height of the N upright photos; only their proportion counts.

    Raises:
        BadReply: The outputs are not those of the contract.
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
    """Corners `[P, 4, 2]` as shares of the photo, in place of shares of the square around it."""
    frame = frame_in_square(*size)
    shares = (boxes * COUNT_SIZE - (frame.left, frame.top)) / (frame.width, frame.height)
    return np.round(np.clip(shares, 0, 1), 4)
