"""Training views: repeatable, never mirrored, and still showing the photo."""

import numpy as np
import pytest

from tests import specimen
from training import augment

PHOTO = np.asarray(specimen.bill("20", width=400))
TABLE = np.asarray(specimen.other(width=300))
NOTHING = augment.Strength(0, 0, 0, 0, 0, 0, 0, 0)


def views(count: int, strength: augment.Strength | None = None) -> list[augment.Pixels]:
    rng = np.random.default_rng(7)
    return [augment.view(PHOTO, TABLE, rng, strength) for _ in range(count)]


def test_a_view_is_what_the_model_takes() -> None:
    for view in views(50):
        assert view.shape == (224, 224, 3)
        assert view.dtype == np.uint8


def test_the_same_state_of_chance_gives_the_same_view() -> None:
    np.testing.assert_array_equal(views(10), views(10))


def test_views_differ_from_each_other() -> None:
    assert len({view.tobytes() for view in views(20)}) == 20


def test_no_view_is_mirrored() -> None:
    """Where the photo's corners land, they go round the same way as in the photo."""
    rng = np.random.default_rng(3)
    for _ in range(500):
        quad = augment._quad(PHOTO, rng, size=1.0, turn=rng.uniform(0, 6.28), drift=0.3)
        x, y = quad.T
        assert np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) > 0


@pytest.mark.parametrize("effect", ["finger", "shadow", "colour", "blur", "noise", "jpeg"])
def test_each_effect_changes_the_picture_but_leaves_most_of_it_recognisable(effect: str) -> None:
    with_it = augment.Strength(**{**vars(NOTHING), effect: 1.0})
    rng = np.random.default_rng(5)
    before = augment.view(PHOTO, TABLE, np.random.default_rng(5), NOTHING)
    after = (
        augment._cover(before, rng) if effect == "finger" else augment._camera(before, rng, with_it)
    )
    assert not np.array_equal(before, after)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.5
