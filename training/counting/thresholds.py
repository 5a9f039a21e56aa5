"""The probability from which lists are accepted, for a risk among all and among the hardest."""

import numpy as np
from numpy.typing import NDArray

from training.evaluation.measures import wrong_at_most
from training.export.calibration import CONFIDENCE, Selection, select

_Floats = NDArray[np.float64]


def strictest(
    sure: _Floats,
    right: NDArray[np.bool_],
    hardest: NDArray[np.bool_],
    risk: float,
    hardest_risk: float,
) -> Selection:
    """Returns the lowest threshold that keeps both risks.

    Args:
        sure: The predicted probability that each list is right, float [N].
        right: Whether each list is right, bool [N].
        hardest: Which lists are of the hardest scenes, bool [N].
        risk: The tolerated share of wrong lists among accepted ones, see `calibration.select`.
        hardest_risk: The tolerated share of the hardest scenes that have a wrong list accepted.
    """
    chosen = select(sure, right, risk)
    allowed = int(hardest_risk * hardest.sum())
    wrong = np.sort(sure[hardest & ~right])[::-1]
    if len(wrong) <= allowed or wrong[allowed] < chosen.threshold:
        return chosen
    accepted = sure > wrong[allowed]
    errors, number = int((accepted & ~right).sum()), int(accepted.sum())
    at_most = wrong_at_most(errors, number, CONFIDENCE)
    above = float(np.nextafter(np.float32(wrong[allowed]), np.float32(2)))
    return Selection(above, at_most, errors, number, len(sure))
