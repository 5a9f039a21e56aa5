"""Hands that hold bills: a palm and fingers behind them, a thumb over an edge.

Hands are drawn, because photos of hands are scarce, and because all that matters is that the edge
of a bill disappears below something rounded and of one colour.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation.camera import Pixels
from training.counting.scenes.places import Quad

_Floats = NDArray[np.float64]

_LIGHT, _DARK = np.array([248, 216, 192]), np.array([58, 36, 26])
_NAIL = np.array([236, 200, 194])


class Hand(NamedTuple):
    """A hand at the edge of a bill.

    Attributes:
        at: Where a thumb crosses the edge, float [2], in pixels.
        inward: The direction from there into the bill, a unit vector, float [2].
        width: The width of a finger, in pixels.
        skin: The colour of the hand, float [3], RGB.
    """

    at: _Floats
    inward: _Floats
    width: float
    skin: _Floats


def hand_at(quads: list[Quad], rng: Generator) -> Hand:
    """Returns a hand at an edge of one of the bills; a thumb is about 1/8 of a bill wide."""
    place = quads[rng.integers(len(quads))].astype(np.float64)
    corner = int(rng.integers(4))
    at = place[corner] + (place[(corner + 1) % 4] - place[corner]) * rng.uniform(0.15, 0.85)
    inward = place.mean(0) - at + rng.normal(0, 0.06, 2) * np.linalg.norm(place[1] - place[0])
    inward /= max(1e-6, float(np.linalg.norm(inward)))
    width = float(np.linalg.norm(place[1] - place[0]) * rng.uniform(0.08, 0.15))
    mix = rng.random()
    skin = (_LIGHT * mix + _DARK * (1 - mix)) * np.exp(rng.normal(0, 0.06, 3))
    return Hand(at, inward, width, np.clip(skin, 0, 255))


def draw_behind(hand: Hand, canvas: Pixels, rng: Generator) -> None:
    """Draws the palm and up to four fingers; bills are laid over them afterwards."""
    centre = hand.at - hand.inward * hand.width * rng.uniform(0.5, 3)
    turn = np.degrees(np.arctan2(hand.inward[1], hand.inward[0]))
    axes = hand.width * rng.uniform((2.5, 2.0), (4.5, 3.5))
    colour = (hand.skin * rng.uniform(0.7, 1)).tolist()
    cv2.ellipse(canvas, _point(centre), _point(axes), turn, 0, 360, colour, -1, cv2.LINE_AA)
    for start in _beside(hand, int(rng.integers(5))):
        tip = start + hand.inward * hand.width * rng.uniform(3, 11)
        _draw_finger(canvas, hand, start - hand.inward * hand.width, tip, rng)


def draw_before(hand: Hand, canvas: Pixels, owner: NDArray[np.int16], rng: Generator) -> None:
    """Draws a thumb over the edge, or up to three fingers, and marks them as no bill in `owner`."""
    for at in _beside(hand, int(rng.choice([1, 1, 1, 2, 3]))):
        start = at - hand.inward * hand.width * 4
        tip = at + hand.inward * hand.width * rng.uniform(0.5, 3)
        _draw_finger(canvas, hand, start, tip, rng)
        cv2.line(owner, _point(start), _point(tip), 0, max(1, round(hand.width)))


def _beside(hand: Hand, number: int) -> list[_Floats]:
    """Returns the places of `number` fingers side by side, centred on the place of the thumb."""
    sideways = np.array([-hand.inward[1], hand.inward[0]]) * hand.width * 1.15
    return [hand.at + sideways * (place - (number - 1) / 2) for place in range(number)]


def _draw_finger(canvas: Pixels, hand: Hand, start: _Floats, tip: _Floats, rng: Generator) -> None:
    """Draws a rounded stroke, darker along its sides, perhaps with a nail."""
    light = rng.uniform(0.8, 1.1)
    for share in (1.0, 0.8, 0.55, 0.3):
        colour = np.clip(hand.skin * light * (1.08 - 0.35 * share**2), 0, 255).tolist()
        wide = max(1, round(hand.width * share))
        cv2.line(canvas, _point(start), _point(tip), colour, wide, cv2.LINE_AA)
    if rng.random() < 0.5:
        turn = np.degrees(np.arctan2(hand.inward[1], hand.inward[0]))
        nail, axes = (hand.skin + _NAIL) / 2, _point(hand.width * np.array([0.4, 0.28]))
        cv2.ellipse(canvas, _point(tip), axes, turn, 0, 360, nail.tolist(), -1, cv2.LINE_AA)


def _point(of: _Floats) -> tuple[int, int]:
    return round(float(of[0])), round(float(of[1]))
