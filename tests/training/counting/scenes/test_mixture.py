"""The counter's training data: scenes of bills, some held or bent, and pictures without bills."""

import numpy as np
import pytest

from training.counting.scenes import mixture
from training.counting.scenes.scene import Scene
from training.counting.scenes.stock import Stock


@pytest.fixture(scope="module")
def some(stock: Stock) -> list[Scene]:
    rng = np.random.default_rng(0)
    return [mixture.random_scene(stock, rng, 224) for _ in range(200)]


def test_most_scenes_have_several_bills_and_some_have_none(some: list[Scene]) -> None:
    counts = np.array([len(made.bills) for made in some])
    assert (counts > 1).mean() > 0.5
    assert 0.05 < np.mean([made.empty for made in some]) < 0.25
    assert not any(made.bills for made in some if made.empty)


def test_many_bills_are_half_covered(some: list[Scene]) -> None:
    seen = [bill.seen for made in some for bill in made.bills]
    assert 0.15 < np.mean(np.array(seen) < 0.6) < 0.6


def test_scenes_to_learn_from_are_half_of_the_size_where_that_is_wanted(some: list[Scene]) -> None:
    assert {made.pixels.shape for made in some} == {(224, 224, 3)}
    assert {made.unclear.shape for made in some} == {(224, 224)}
