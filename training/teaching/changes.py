"""What a version gained and lost by teaching, class by class."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.evaluation.tables import markdown_rows
from training.export.calibration import Calibration, softmax

NEW, ALL = "new photos", "all of before"
CHANCE = 0.1
"""The probability that a version is refused although its classes lost pictures only by chance."""


class Judged(NamedTuple):
    """The answers of a version to N pictures.

    Attributes:
        said: The most likely class of each, str [N].
        sure: Whether that class is accepted, bool [N].
    """

    said: NDArray[np.str_]
    sure: NDArray[np.bool_]


class Change(NamedTuple):
    """The change of one group of pictures from the old version to the new one.

    Attributes:
        name: A class, or `NEW` and a class.
        pictures: How many pictures the group has.
        right_before: How many the old version answered correctly.
        right: How many the new version answers correctly.
        sure: How many of those correct answers the new version accepts.
        wrong_and_sure: How many wrong answers the new version accepts.
        lost: How many the old version answered correctly and the new version does not.
        is_new: Whether the pictures are of the new photos, none of which can be lost.
    """

    name: str
    pictures: int
    right_before: int
    right: int
    sure: int
    wrong_and_sure: int
    lost: int
    is_new: bool = False

    @property
    def fewer(self) -> int:
        """The net loss of right answers: lost pictures less gained ones."""
        return self.right_before - self.right


def judged(logits: NDArray[np.floating], classes: list[str], calibration: Calibration) -> Judged:
    """Converts float32 [N,C] logits of the first look into answers."""
    probabilities = softmax(logits / calibration.temperature)
    said = probabilities.argmax(1)
    sure = probabilities.max(1) >= calibration.thresholds(classes)[said]
    return Judged(np.array(classes)[said], sure)


def changes(
    labels: NDArray[np.str_], is_new: NDArray[np.bool_], before: Judged, after: Judged
) -> list[Change]:
    """Compares two versions on N pictures, by class and apart for the new photos.

    Args:
        labels: The right class of each, str [N].
        is_new: Which of them are of the new photos, bool [N].
        before: The answers of the old version.
        after: The answers of the new version.
    """
    found = []
    for label, new in dict.fromkeys(zip(labels.tolist(), is_new.tolist(), strict=True)):
        of = (labels == label) & (is_new == new)
        right_before = before.said[of] == labels[of]
        right = after.said[of] == labels[of]
        sure = after.sure[of]
        found.append(
            Change(
                f"{NEW}, {label}" if new else label,
                int(of.sum()),
                int(right_before.sum()),
                int(right.sum()),
                int((right & sure).sum()),
                int((~right & sure).sum()),
                int((right_before & ~right).sum()),
                new,
            )
        )
    return found


def require_kept(found: list[Change], lost_at_most: float) -> None:
    """Checks that a version lost no more than is allowed.

    Raises:
        ValueError: It lost more; the message lists the classes and their losses.
    """
    if lost := beyond(found, lost_at_most):
        words = [
            f"{one.name}: {one.right_before} of {one.pictures} right, {one.right} now"
            for one in lost
        ]
        raise ValueError(
            f"Nothing is published: more than {100 * lost_at_most:g} % of a class were lost"
            f" ({'; '.join(words)}). Teach more photos, or photos that look less like those of"
            " other classes; --lost-at-most allows more."
        )


def beyond(found: list[Change], lost_at_most: float) -> list[Change]:
    """Returns the groups of old pictures that lost more than the share `lost_at_most`.

    About 40 pictures of each class are held out, many of them borderline. Any training turns some
    of these from right to wrong and others back, so a small loss may be chance. A loss counts if a
    sign test says that it is not chance, or if half of the right answers are lost. With many
    classes one is easily unlucky, so each is tested at its share of `CHANCE` (Bonferroni). All
    classes together are tested too, since losses that are small in each class may add up.
    """
    old = [change for change in found if not change.is_new]
    tested = [(change, CHANCE / len(old)) for change in old]
    if len(old) > 1:
        _, *columns, _ = zip(*old, strict=True)
        totals: list[Any] = [sum(column) for column in columns]
        tested.append((Change(ALL, *totals), CHANCE))
    return [
        change
        for change, chance in tested
        if change.fewer > max(1, lost_at_most * change.pictures)
        and (by_chance(change) < chance or 2 * change.right <= change.right_before)
    ]


def by_chance(change: Change) -> float:
    """Returns the probability of such a loss if gains and losses are equally likely (sign test).

    Source: Conover, Practical Nonparametric Statistics, section 3.4.
    """
    gained = change.lost - change.fewer
    changed = change.lost + gained
    as_bad = sum(math.comb(changed, n) for n in range(change.lost, changed + 1))
    return float(as_bad / 2**changed)


def table(found: list[Change]) -> str:
    """Returns the changes as a table for a terminal and for Markdown."""
    head = ["held-out pictures", "number", "right before", "right", "and sure", "wrong and sure"]
    rows = [head, ["---"] * len(head), *([str(value) for value in change[:6]] for change in found)]
    return markdown_rows(rows)


def facts(found: list[Change]) -> list[dict[str, Any]]:
    """Returns the changes for the model card."""
    return [change._asdict() for change in found]
