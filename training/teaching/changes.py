"""What a version gained and lost by teaching, class by class."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.export.calibration import Calibration, softmax

NEW = "new photos"


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
    """

    name: str
    pictures: int
    right_before: int
    right: int
    sure: int
    wrong_and_sure: int


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
        right = after.said[of] == labels[of]
        sure = after.sure[of]
        found.append(
            Change(
                name,
                int(of.sum()),
                int((before.said[of] == labels[of]).sum()),
                int(right.sum()),
                int((right & sure).sum()),
                int((~right & sure).sum()),
            )
        )
    return found


def require_kept(found: list[Change], lost_at_most: float) -> None:
    """Refuses a version that lost more than is allowed.

    Raises:
        ValueError: Names the classes, each with what it lost.
    """
    lost = [
        f"{change.name}: {change.right_before} of {change.pictures} right, {change.right} now"
        for change in found
        if not change.name.startswith(NEW)
        and change.right_before - change.right > max(1, lost_at_most * change.pictures)
    ]
    if lost:
        raise ValueError(
            f"Nothing is published: more than {100 * lost_at_most:g} % of a class were lost"
            f" ({'; '.join(lost)}). Teach more photos, or photos that look less like those of other"
            " classes; --lost-at-most allows more."
        )


def table(found: list[Change]) -> str:
    """Returns the changes as a table for a terminal and for Markdown."""
    head = ["held-out pictures", "number", "right before", "right", "and sure", "wrong and sure"]
    rows = [head, ["---"] * len(head), *([str(value) for value in change] for change in found)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def facts(found: list[Change]) -> list[dict[str, Any]]:
    """Returns the changes for the model card."""
    return [change._asdict() for change in found]
