"""The places that a detector takes for bills, as the version would cut them out."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.training.counting.detector.test_targets import perfect_map, place, scene_of
from training.counting import finding
from training.counting.detector.targets import turned
from training.counting.scenes.scene import Scene

BLACK = np.zeros((448, 448, 3), np.uint8)


def finder_that_knows(scene: Scene) -> finding.Finder:
    def detector(image: tf.Tensor, *, training: Any) -> tf.Tensor:
        assert image.shape[1:] == (224, 224, 3)
        assert training is False
        return perfect_map(scene)

    return finding.finder(detector)


def test_places_come_back_with_size_and_turn() -> None:
    wanted = place(0.4, 0.6, 0.5, 0.3)
    (found,) = finder_that_knows(scene_of(wanted))(BLACK)
    assert found.centre == pytest.approx(turned(wanted).centre, abs=2e-3)
    assert found.size == pytest.approx(turned(wanted).size, abs=2e-3)
    assert found.turn == pytest.approx(0.3, abs=2e-3)


def test_nothing_is_found_where_nothing_is_warm() -> None:
    assert finder_that_knows(scene_of())(BLACK) == []
