"""The detector's targets can be converted back to the bills: target, map, boxes."""

import math

import numpy as np
import pytest
import tensorflow as tf

from training.counting.detector import network
from training.counting.detector.boxes import PLACES, Boxes, boxes
from training.counting.detector.targets import CELLS, target, turned
from training.counting.scenes.places import Quad, quad
from training.counting.scenes.scene import Scene
from training.counting.scenes.visible import Bill


def scene_of(*quads: Quad) -> Scene:
    """A scene with bills at given places, in shares of the square."""
    bills = [Bill("1", place, 1.0, place.mean(0), min(turned(place).size) / 2) for place in quads]
    return Scene(np.zeros((224, 224, 3), np.uint8), bills, np.zeros((224, 224), bool))


def place(x: float, y: float, width: float, turn: float) -> Quad:
    return quad((x, y), width, turn, np.random.default_rng(0), tilt=0)


def perfect_map(scene: Scene) -> tf.Tensor:
    """The map of a detector that knows its target, float32 [1,28,28,7]."""
    wanted, _ = target(scene)
    heat = np.clip(wanted[..., :1], 1e-4, 1 - 1e-4)
    return tf.constant(np.concatenate([np.log(heat / (1 - heat)), wanted[..., 1:]], -1)[None])


def found(scene: Scene) -> Boxes:
    return boxes(perfect_map(scene))


@pytest.mark.parametrize("turn", [0.0, 0.4, 1.3, -0.7])
def test_a_box_comes_back_at_its_place_size_and_turn(turn: float) -> None:
    wanted = place(0.43, 0.57, 0.5, turn)
    corners = found(scene_of(wanted)).corners().numpy()[0, 0]
    assert corners == pytest.approx(wanted, abs=2e-3)


def test_upside_down_is_the_same_rectangle() -> None:
    upright, reversed_ = (
        found(scene_of(place(0.5, 0.5, 0.5, turn))) for turn in (0.2, 0.2 + math.pi)
    )
    assert upright.corners().numpy()[0, 0] == pytest.approx(
        reversed_.corners().numpy()[0, 0], abs=1e-4
    )


def test_each_bill_is_found_once() -> None:
    scene = scene_of(*(place(0.5, y, 0.6, 0.1) for y in (0.2, 0.5, 0.8)))
    heat = found(scene).heat.numpy()[0]
    assert heat.shape == (PLACES,)
    assert (heat > 0.9).sum() == 3
    assert not ((heat > 0.3) & (heat < 0.9)).any()


def test_strips_of_a_stack_are_bills_of_their_own() -> None:
    strip = np.array([[0.2, 0], [0.8, 0], [0.8, 0.08], [0.2, 0.08]], np.float32)
    scene = scene_of(*(strip + np.array([0, y], np.float32) for y in (0.2, 0.28, 0.36)))
    assert (found(scene).heat.numpy()[0] > 0.9).sum() == 3


def test_bills_with_one_centre_are_two_where_each_is_seen_at_a_place_of_its_own() -> None:
    below, above = place(0.5, 0.5, 0.8, 0.0), place(0.5, 0.52, 0.4, 1.2)
    scene = scene_of(below, above)
    left = scene.bills[0]._replace(spot=np.array([0.2, 0.5], np.float32))
    corners = found(scene._replace(bills=[left, scene.bills[1]])).corners().numpy()[0]
    for wanted in (below, above):
        assert min(np.abs(corners[:2] - wanted).max((1, 2))) < 2e-3


def test_nothing_is_found_where_nothing_is() -> None:
    assert not (found(scene_of()).heat.numpy() > 0.01).any()


def test_a_seen_part_that_is_higher_than_wide_keeps_the_bills_turn() -> None:
    narrow = np.array([[0.4, 0.3], [0.5, 0.3], [0.5, 0.6], [0.4, 0.6]], np.float32)
    assert turned(narrow).turn == pytest.approx(0, abs=1e-6)
    assert turned(narrow).size == pytest.approx([0.1, 0.3])


def test_what_is_unclear_counts_for_nothing() -> None:
    unclear = np.zeros((224, 224), bool)
    unclear[:112] = True
    _, counted = target(scene_of()._replace(unclear=unclear))
    assert not counted[: CELLS // 2, :, 0].any()
    assert counted[CELLS // 2 :, :, 0].all()


def test_a_perfect_map_has_hardly_any_loss_and_the_right_count() -> None:
    scenes = [scene_of(), scene_of(place(0.3, 0.4, 0.4, 0.3), place(0.7, 0.6, 0.4, 2.0))]
    wanted = np.stack([np.concatenate(target(scene), -1) for scene in scenes])
    maps = tf.concat([perfect_map(scene) for scene in scenes], 0)
    assert network.count(maps).numpy().tolist() == [0, 2]
    perfect, nothing = (network.loss(wanted, m).numpy() for m in (maps, tf.zeros_like(maps) - 9))
    assert (perfect < 0.1).all()
    assert nothing[1] > 10 * perfect[1]
