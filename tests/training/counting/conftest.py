"""Drawn bills that fill their pictures, and the other parts of scenes."""

import numpy as np
import pytest

from tests import specimen
from training.augmentation.camera import Pixels
from training.counting.scenes.photos import Known
from training.counting.scenes.stock import Stock

VALUES = ("1", "5", "20")


def flat(value: str) -> Pixels:
    """A drawn bill without background, uint8 [170,400,3]."""
    return np.asarray(specimen.bill(value, width=400).resize((400, 170)).convert("RGB"))


@pytest.fixture(scope="session")
def stock() -> Stock:
    """Three drawn bills, a photo of each, another note, and two plain backgrounds."""
    note = np.asarray(specimen.other(width=400).resize((400, 170)).convert("RGB"))
    plain = [np.full((60, 80, 3), grey, np.uint8) for grey in (60, 200)]
    whole = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    known = [Known(value, whole, flat(value)) for value in VALUES]
    return Stock({value: [[flat(value)]] for value in VALUES}, [note], plain, plain, known)
