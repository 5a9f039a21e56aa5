"""Places bills in a scene: apart, in rows, overlapping, fanned or stacked."""

import itertools
import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation.augment import BILL_ASPECT

Quad = NDArray[np.float32]
"""Corners clockwise from the bill's own upper left, float32 [4,2], in pixels."""

_TRIES = 40


def quad(
    centre: tuple[float, float], width: float, turn: float, rng: Generator, tilt: float = 0.03
) -> Quad:
    """Returns the corners of a bill `width` pixels wide, turned (radians), seen a little askew."""
    half = np.array([width, width / BILL_ASPECT]) / 2
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    corners += np.clip(rng.normal(0, tilt * width, (4, 2)), -0.3 * half[1], 0.3 * half[1])
    c, s = math.cos(turn), math.sin(turn)
    return np.asarray(corners @ np.array([[c, s], [-s, c]]) + centre, np.float32)


def apart(number: int, frame: tuple[int, int], rng: Generator, overlap: float = 0.0) -> list[Quad]:
    """Returns places that cover at most the share `overlap` of each other, as many as fit."""
    width = _width(number, frame, rng)
    turned = rng.random() < 0.5
    base = rng.uniform(0, 2 * math.pi)
    found: list[Quad] = []
    for _ in range(_TRIES * number):
        turn = rng.uniform(0, 2 * math.pi) if turned else base + rng.normal(0, 0.15)
        place = quad(_inside(frame, rng), width * rng.uniform(0.9, 1.1), turn, rng)
        if all(_shared(place, other) <= overlap for other in found):
            found.append(place)
        if len(found) == number:
            break
    return found


def overlapping(number: int, frame: tuple[int, int], rng: Generator) -> list[Quad]:
    """Returns places that cover up to 40 % of each other."""
    return apart(number, frame, rng, rng.uniform(0.1, 0.4))


def up_to_30(number: int, frame: tuple[int, int], rng: Generator) -> list[Quad]:
    """Returns places that cover up to 30 % of each other."""
    return apart(number, frame, rng, 0.3)


def half_covered(number: int, frame: tuple[int, int], rng: Generator) -> list[Quad]:
    """Returns places in a fan or a stack, each covering 40 to 60 % of the one below."""
    while True:
        found = (fanned if rng.random() < 0.5 else stacked)(number, frame, rng)
        pairs = [_shared(one, other) for one, other in itertools.pairwise(found)]
        if all(0.4 <= shared <= 0.6 for shared in pairs):
            return found


def rows(number: int, frame: tuple[int, int], rng: Generator) -> list[Quad]:
    """Returns places in columns and rows, nearly touching, as bills are laid out to be counted."""
    columns = int(rng.choice([1, 1, 2])) if number > 1 else 1
    lines = math.ceil(number / columns)
    gap = rng.uniform(1.0, 1.2)
    across = frame[0] / (columns * gap), BILL_ASPECT * frame[1] / (lines * gap)
    width = min(across) * rng.uniform(0.6, 1.05)
    step = np.array([width, width / BILL_ASPECT]) * gap
    turn, quarter = rng.normal(0, 0.15), int(rng.integers(4)) * math.pi / 2
    c, s = math.cos(turn), math.sin(turn)
    found = []
    for index in range(number):
        place = np.array([index % columns - (columns - 1) / 2, index // columns - (lines - 1) / 2])
        x, y = (place * step) @ np.array([[c, s], [-s, c]]) + np.array(frame) / 2
        upside_down = rng.integers(2) * math.pi * (rng.random() < 0.3)
        found.append(quad((x, y), width, turn + upside_down + rng.normal(0, 0.03), rng, 0.01))
    return found if quarter == 0 else [_turned(place, quarter, frame) for place in found]


def fanned(number: int, frame: tuple[int, int], rng: Generator) -> list[Quad]:
    """Returns places turned about a common point near one end, like cards in a hand."""
    width = min(frame) * rng.uniform(0.5, 0.95)
    turn, step = rng.uniform(0, 2 * math.pi), rng.uniform(0.12, 0.5) * rng.choice([-1, 1])
    centre = np.array(frame) * rng.uniform(0.35, 0.65, 2)
    arm = width * rng.uniform(0.3, 0.75)
    found = []
    for index in range(number):
        at = turn + (index - (number - 1) / 2) * step * rng.uniform(0.8, 1.2)
        x, y = centre + arm * np.array([math.cos(at), math.sin(at)])
        found.append(quad((x, y), width, at, rng, 0.015))
    return found


def stacked(number: int, frame: tuple[int, int], rng: Generator) -> list[Quad]:
    """Returns places each moved by part of a bill from the one below."""
    width = min(frame) * rng.uniform(0.45, 0.85)
    turn = rng.uniform(0, 2 * math.pi)
    shift = _shift(rng) * np.array([width, width / BILL_ASPECT])
    c, s = math.cos(turn), math.sin(turn)
    found = []
    for index in range(number):
        moved = (index - (number - 1) / 2) * shift * rng.uniform(0.85, 1.15)
        x, y = moved @ np.array([[c, s], [-s, c]]) + np.array(frame) / 2
        found.append(quad((x, y), width, turn + rng.normal(0, 0.04), rng, 0.01))
    return found


def close_up(_number: int, frame: tuple[int, int], rng: Generator) -> list[Quad]:
    """Returns the place of one bill that is larger than the frame, so only a part is visible."""
    width = frame[0] * rng.uniform(0.9, 2.2)
    turn = rng.normal(0, 0.2) if rng.random() < 0.7 else rng.uniform(0, 2 * math.pi)
    height = width / BILL_ASPECT
    away = rng.uniform(-0.5, 0.5, 2) * [max(width - frame[0], 0), max(height - frame[1], 0)]
    return [quad((frame[0] / 2 + away[0], frame[1] / 2 + away[1]), width, turn, rng)]


Placer = Callable[[int, tuple[int, int], Generator], list[Quad]]
PLACERS: tuple[Placer, ...] = (apart, rows, overlapping, fanned, stacked)
"""The arrangements of training scenes."""


def oblique(place: Placer) -> Placer:
    """Returns `place` as seen from the side: narrower in one direction, smaller at one end."""

    def placed(number: int, frame: tuple[int, int], rng: Generator) -> list[Quad]:
        turn, narrow = rng.uniform(0, math.pi), rng.uniform(0.4, 0.85)
        keystone = rng.uniform(-0.35, 0.35) / max(frame)
        c, s = math.cos(turn), math.sin(turn)
        axes, middle = np.array([[c, -s], [s, c]]), np.array(frame) / 2
        found = []
        for corners in place(number, frame, rng):
            along = (corners - middle) @ axes * [1, narrow]
            along /= np.maximum(0.4, 1 + keystone * along[:, 1:])
            found.append(np.asarray(along @ axes.T + middle, np.float32))
        return found

    return placed


def _shift(rng: Generator) -> NDArray[np.float64]:
    """Returns the shift of a stacked bill, in shares of its width and height: mainly along one."""
    share = rng.uniform(0.35, 0.8) * rng.choice([-1, 1])
    small = rng.normal(0, 0.05)
    return np.array([small, share] if rng.random() < 0.7 else [0.6 * share, small])


def _width(number: int, frame: tuple[int, int], rng: Generator) -> float:
    """Returns a random width of bills at which about `number` of them fit."""
    area = frame[0] * frame[1] / max(1, number)
    largest = min(math.sqrt(area * BILL_ASPECT) * 0.85, 1.0 * max(frame))
    return float(max(0.24 * max(frame), largest * rng.uniform(0.45, 1.0)))


def _inside(frame: tuple[int, int], rng: Generator) -> tuple[float, float]:
    x, y = np.array(frame) * rng.uniform(0.08, 0.92, 2)
    return float(x), float(y)


def _shared(one: Quad, other: Quad) -> float:
    """Returns the overlap of two places as a share of the smaller place's area."""
    both, _ = cv2.intersectConvexConvex(one, other)
    return float(both / max(1.0, min(cv2.contourArea(one), cv2.contourArea(other))))


def _turned(place: Quad, by: float, frame: tuple[int, int]) -> Quad:
    middle = np.array(frame) / 2
    c, s = math.cos(by), math.sin(by)
    return np.asarray((place - middle) @ np.array([[c, s], [-s, c]]) + middle, np.float32)
