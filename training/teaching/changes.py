"""What a version gained and lost by teaching, class by class."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.export.calibration import Calibration, softmax

NEW, ALL = "new photos", "all of before"
CHANCE = 0.1
"""How often a version may be refused where no class lost anything but by chance."""


class Judged(NamedTuple):
    """What a version says to N pictures.

    Attributes:
        said: The most likely class of each, str [N].
        sure: Where it is accepted, bool [N].
    """

    said: NDArray[np.str_]
    sure: NDArray[np.bool_]


class Change(NamedTuple):
    """What became of one group of pictures.

    Attributes:
        name: A class, or `NEW` and a class.
        pictures: How many there are.
        right_before: How many the version before named rightly.
        right: How many the new version names rightly.
        sure: How many of those it is sure of.
        wrong_and_sure: How many it names wrongly and is sure of.
        lost: How many the version before named rightly and the new one does not.
    """

    name: str
    pictures: int
    right_before: int
    right: int
    sure: int
    wrong_and_sure: int
    lost: int

    @property
    def fewer(self) -> int:
        """How many fewer are right on the whole; what is gained makes up for what is lost."""
        return self.right_before - self.right


def judged(logits: NDArray[np.floating], classes: list[str], calibration: Calibration) -> Judged:
    """Returns the answers that float32 [N,C] logits stand for, at the first look."""
    probabilities = softmax(logits / calibration.temperature)
    said = probabilities.argmax(1)
    sure = probabilities.max(1) >= calibration.thresholds(classes)[said]
    return Judged(np.array(classes)[said], sure)


def changes(
    names: NDArray[np.str_], labels: NDArray[np.str_], before: Judged, after: Judged
) -> list[Change]:
    """Compares two versions on N pictures.

    Args:
        names: The group of each, str [N].
        labels: The right class of each, str [N].
        before: What the old version says.
        after: What the new version says.
    """
    found = []
    for name in dict.fromkeys(names.tolist()):
        of = names == name
        right_before = before.said[of] == labels[of]
        right = after.said[of] == labels[of]
        sure = after.sure[of]
        found.append(
            Change(
                name,
                int(of.sum()),
                int(right_before.sum()),
                int(right.sum()),
                int((right & sure).sum()),
                int((~right & sure).sum()),
                int((right_before & ~right).sum()),
            )
        )
    return found


def require_kept(found: list[Change], lost_at_most: float) -> None:
    """Refuses a version that lost more than is allowed.

    Raises:
        ValueError: Names the classes, each with what it lost.
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
    """Returns the groups of old pictures that lost more than a share of them.

    Of a class some 40 pictures are held out, many of them at the edge of being known. Any training
    moves some of these from right to wrong and others back, so a few less may be chance: they count
    where a sign test says that they are not, or where half of the class is lost. Of many classes
    one is soon unlucky, so each is tested at its share of `CHANCE` (Bonferroni); what is too little
    in each class may be enough in all of them together.
    """
    old = [change for change in found if not change.name.startswith(NEW)]
    tested = [(change, CHANCE / len(old)) for change in old]
    if len(old) > 1:
        _, *columns = zip(*old, strict=True)
        tested.append((Change(ALL, *map(sum, columns)), CHANCE))
    return [
        change
        for change, chance in tested
        if change.fewer > max(1, lost_at_most * change.pictures)
        and (by_chance(change) < chance or 2 * change.right <= change.right_before)
    ]


def by_chance(change: Change) -> float:
    """Returns how likely so large a loss is where a picture is as soon gained as lost (sign test).

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
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def facts(found: list[Change]) -> list[dict[str, Any]]:
    """Returns the changes for the model card."""
    return [change._asdict() for change in found]
