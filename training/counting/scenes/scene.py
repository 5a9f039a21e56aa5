"""A scene: the letterboxed picture that a camera takes of a frame, and the bills to count in it."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation import camera
from training.augmentation.camera import Pixels
from training.counting.scenes.visible import Bill
from webapp.imaging.preprocessing import COUNT_SIZE


class Frame(NamedTuple):
    """What lies in front of a camera.

    Attributes:
        canvas: uint8 [H,W,3] RGB.
        bills: The bills to count, in pixels.
        unclear: The pixels where it is unclear whether there is a bill, bool [H,W].
        empty: Whether the frame has no bill at all, not even a hidden one.
    """

    canvas: Pixels
    bills: list[Bill]
    unclear: NDArray[np.bool_]
    empty: bool = False


class Scene(NamedTuple):
    """A composed picture.

    Attributes:
        pixels: uint8 [S,S,3] RGB, letterboxed as the front end does it.
        bills: The bills of which at least `SEEN` is visible.
        unclear: The pixels of things that are neither a bill to count nor surely no bill, bool
            [S,S].
        empty: Whether the scene has no bill at all, not even a hidden one.
    """

    pixels: Pixels
    bills: list[Bill]
    unclear: NDArray[np.bool_]
    empty: bool = False


def bare(pictures: list[Pixels], rng: Generator) -> Frame:
    """Returns a random picture as a frame that surely has no bills."""
    picture = pictures[rng.integers(len(pictures))]
    return Frame(picture, [], np.zeros(picture.shape[:2], bool), empty=True)


def taken(frame: Frame, rng: Generator, odds: camera.EffectProbabilities, side: int) -> Scene:
    """Returns the scene that a camera makes of a frame of any size.

    Args:
        frame: The frame.
        rng: The only source of randomness.
        odds: The probability of each effect of light and lens.
        side: The side of the scene in pixels: `COUNT_SIZE` or half of it.
    """
    canvas, bills, unclear, empty = resized(frame, _even(frame.canvas, COUNT_SIZE))
    height, width = canvas.shape[:2]
    small = (width * side // COUNT_SIZE, height * side // COUNT_SIZE)
    canvas = np.asarray(cv2.resize(canvas, small, interpolation=cv2.INTER_AREA), np.uint8)
    mask = cv2.resize(unclear.astype(np.uint8), small, interpolation=cv2.INTER_NEAREST)
    made = _letterboxed(_shot(canvas, rng, odds), bills, np.asarray(mask, bool), side)
    return made._replace(empty=empty)


def _even(canvas: Pixels, longest: int) -> tuple[int, int]:
    """Returns the width and height, even numbers, of a canvas whose longer side is `longest`."""
    share = longest / max(canvas.shape[:2])
    height, width = (2 * max(1, round(length * share / 2)) for length in canvas.shape[:2])
    return width, height


def resized(frame: Frame, size: tuple[int, int]) -> Frame:
    """Returns a frame of another width and height, in pixels."""
    height, width = frame.canvas.shape[:2]
    if size == (width, height):
        return frame
    less = size[0] * size[1] < width * height
    how = cv2.INTER_AREA if less else cv2.INTER_LINEAR
    factor = np.array([size[0] / width, size[1] / height], np.float32)
    return Frame(
        np.asarray(cv2.resize(frame.canvas, size, interpolation=how), np.uint8),
        [moved(bill, factor, np.zeros(2, np.float32)) for bill in frame.bills],
        cv2.resize(frame.unclear.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0,
        frame.empty,
    )


def moved(bill: Bill, factor: NDArray[np.float32], by: NDArray[np.float32]) -> Bill:
    """Returns a bill whose coordinates are multiplied by `factor`, float32 [2], and moved `by`."""
    return bill._replace(
        box=np.asarray(bill.box * factor + by, np.float32),
        spot=np.asarray(bill.spot * factor + by, np.float32),
        radius=float(bill.radius * factor.min()),
    )


def _shot(canvas: Pixels, rng: Generator, odds: camera.EffectProbabilities) -> Pixels:
    """Returns the frame as a camera sees it; the effects are applied to a padded square."""
    height, width = canvas.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, 3), np.uint8)
    square[:height, :width] = canvas
    return camera.shoot(square, rng, odds)[:height, :width]


def _letterboxed(canvas: Pixels, bills: list[Bill], unclear: NDArray[np.bool_], side: int) -> Scene:
    height, width = canvas.shape[:2]
    left, top = (side - width) // 2, (side - height) // 2
    within = np.s_[top : top + height, left : left + width]
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[within] = canvas
    mask = np.zeros((side, side), bool)
    mask[within] = unclear
    # The scene's side is the frame's longer side, so that both axes shrink by the same factor.
    start = np.array([left / side, top / side], np.float32)
    factor = np.full(2, 1 / COUNT_SIZE, np.float32)
    return Scene(pixels, [moved(bill, factor, start) for bill in bills], mask)
