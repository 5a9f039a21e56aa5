"""The conditions under which photos are evaluated again."""

import numpy as np
import pytest
from PIL import Image

from tests import specimen
from training.evaluation.slices import SLICES

PHOTO = specimen.bill("20", width=400)


def brightness(picture: Image.Image) -> float:
    return float(np.asarray(picture).mean())


@pytest.mark.parametrize("name", SLICES)
def test_a_condition_always_gives_the_same_rgb_picture(name: str) -> None:
    first, second = SLICES[name](PHOTO), SLICES[name](PHOTO)
    assert first.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(first), np.asarray(second))


def test_the_halves_make_the_whole() -> None:
    left, right = SLICES["left half"](PHOTO), SLICES["right half"](PHOTO)
    np.testing.assert_array_equal(
        np.hstack([np.asarray(left), np.asarray(right)]), np.asarray(PHOTO)
    )


def test_dark_leaves_a_quarter_of_the_light() -> None:
    assert brightness(SLICES["dark"](PHOTO)) == pytest.approx(brightness(PHOTO) / 4, rel=0.02)


def test_small_in_the_frame_keeps_the_photo_whole_amid_table() -> None:
    far = SLICES["small in the frame"](PHOTO)
    assert (far.width, far.height) == (1000, 750)
    np.testing.assert_array_equal(np.asarray(far)[225:525, 300:700], np.asarray(PHOTO))


def test_a_turned_photo_is_whole() -> None:
    turned = SLICES["turned by 90"](PHOTO)
    np.testing.assert_array_equal(np.asarray(turned), np.rot90(np.asarray(PHOTO)))
