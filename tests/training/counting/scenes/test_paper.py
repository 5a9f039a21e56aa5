"""Bent bills keep their area, and their outline follows the bend."""

import cv2
import numpy as np
import pytest

from training.counting.scenes import paper, places

PLACE = places.quad((220, 160), 250, 0.4, np.random.default_rng(0), tilt=0)
BILL = np.full((170, 400, 3), 200, np.uint8)


def laid(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The canvas, and where the bill is on it."""
    canvas = np.zeros((330, 448, 3), np.uint8)
    return canvas, paper.lay_bent(BILL, PLACE, canvas, np.random.default_rng(seed))


def flat() -> np.ndarray:
    mask = np.zeros((330, 448), np.uint8)
    cv2.fillConvexPoly(mask, PLACE.astype(np.int32), 1)
    return mask > 0


@pytest.mark.parametrize("seed", range(8))
def test_a_bent_bill_is_as_large_as_a_flat_one_and_lies_elsewhere(seed: int) -> None:
    _, where = laid(seed)
    assert where.sum() == pytest.approx(flat().sum(), rel=0.08)
    assert (where & ~flat()).sum() > 0.02 * where.sum()


@pytest.mark.parametrize("seed", range(8))
def test_only_the_bill_is_drawn_and_its_shade_tells_the_bend(seed: int) -> None:
    canvas, where = laid(seed)
    assert not canvas[~where].any()
    inside = cv2.erode(where.astype(np.uint8), np.ones((5, 5))) > 0
    assert canvas[inside].min() > 60


def test_bends_are_shaded() -> None:
    spread = [np.ptp(canvas[where]) for canvas, where in map(laid, range(8))]
    assert max(spread) > 20
