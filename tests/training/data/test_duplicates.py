"""Distinguishes copies of a picture from other pictures."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tests import specimen
from training.data.duplicates import NEAR, difference_hash, groups_of

PICTURE = specimen.bill("20", width=500, angle=20)


def distance(one: Image.Image, other: Image.Image) -> int:
    return int(np.bitwise_count(difference_hash(one) ^ difference_hash(other)).sum())


@pytest.mark.parametrize(
    "copy",
    [
        PICTURE.resize((190, 140)),
        ImageEnhance.Brightness(PICTURE).enhance(0.7),
        ImageEnhance.Color(PICTURE).enhance(0.0),
    ],
    ids=["smaller", "darker", "grey"],
)
def test_a_copy_in_another_size_or_tone_is_near(copy: Image.Image) -> None:
    assert distance(PICTURE, copy) <= NEAR


@pytest.mark.parametrize(
    "other",
    [specimen.other(width=500), PICTURE.rotate(180), specimen.bill("20", width=500, seed=5)],
    ids=["mug", "turned", "elsewhere"],
)
def test_another_picture_is_far(other: Image.Image) -> None:
    assert distance(PICTURE, other) > NEAR


def test_a_chain_of_near_pictures_is_one_group() -> None:
    codes = np.zeros((4, 32), np.uint8)
    codes[1, :2] = 255
    codes[2, :4] = 255
    codes[3, 10:] = 255
    assert groups_of(list(codes), near=16) == [[0, 1, 2], [3]]
