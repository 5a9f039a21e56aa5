"""Hands hold bills: a thumb hides part of a bill, a palm is behind it and hides nothing."""

import numpy as np
import pytest

from training.counting.scenes import hands, places
from training.counting.scenes.hands import Hand

SIDE = 300
BILL = places.quad((150, 150), 200, 0.3, np.random.default_rng(0), tilt=0)


def drawn_hand(seed: int) -> tuple[Hand, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return hands.hand_at([BILL], rng), rng


def canvas() -> np.ndarray:
    return np.full((SIDE, SIDE, 3), 128, np.uint8)


def test_a_hand_is_at_an_edge_and_points_into_the_bill() -> None:
    for seed in range(20):
        hand, _ = drawn_hand(seed)
        assert np.linalg.norm(hand.inward) == pytest.approx(1)
        assert (BILL.mean(0) - hand.at) @ hand.inward > 0
        assert 0.08 * 200 <= hand.width <= 0.15 * 200


def test_skin_is_of_all_tones() -> None:
    light = [float(drawn_hand(seed)[0].skin.mean()) for seed in range(60)]
    assert min(light) < 70
    assert max(light) > 190


def test_what_a_thumb_covers_is_no_longer_seen_of_the_bill() -> None:
    for seed in range(10):
        hand, rng = drawn_hand(seed)
        picture, owner = canvas(), np.ones((SIDE, SIDE), np.int16)
        hands.draw_before(hand, picture, owner, rng)
        painted = (picture != 128).any(-1)
        assert 0.005 < (owner == 0).mean() < 0.6
        assert painted[owner == 0].mean() > 0.9
        assert painted[owner == 1].mean() < 0.03


def test_a_palm_is_drawn_before_bills_lie_over_it() -> None:
    hand, rng = drawn_hand(1)
    picture = canvas()
    hands.draw_behind(hand, picture, rng)
    assert (picture != 128).any()
