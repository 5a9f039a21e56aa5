"""Composes scenes of none to eight bills from flat photos, with the visible part of each bill.

Photos of several bills with a box around each are scarce; composed scenes cost nothing, and their
boxes and visible shares are known exactly.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation import camera, layout
from training.augmentation.camera import Pixels
from training.counting.scenes import hands, paper, places
from training.counting.scenes.places import Placer, Quad
from training.counting.scenes.scene import Frame, Scene, taken
from training.counting.scenes.stock import Stock
from training.counting.scenes.visible import visible
from webapp.imaging.preprocessing import COUNT_SIZE

_PLAIN = 0.25
_COVERED = 0.25
_THINGS = 0.5


class Handling(NamedTuple):
    """How probable it is that hands do something to bills.

    Attributes:
        bent: The probability that a bill is curled or folded.
        held: The probability that a hand holds one of the bills.
    """

    bent: float = 0.0
    held: float = 0.0


LAID_FLAT = Handling()


def compose(
    stock: Stock,
    number: int,
    place: Placer,
    rng: Generator,
    odds: camera.EffectProbabilities,
    side: int = COUNT_SIZE,
    handling: Handling = LAID_FLAT,
) -> Scene:
    """Returns a scene of at most `number` bills; fewer if not all bills fit.

    Args:
        stock: The photos to make the scene of.
        number: How many bills.
        place: How the bills lie, see `places`.
        rng: The only source of randomness.
        odds: The probability of each effect of light and lens.
        side: The side of the scene in pixels: `COUNT_SIZE` or half of it.
        handling: What hands do to the bills. It uses separate random streams, so that scenes of
            flat bills are the same as before this argument existed.
    """
    return taken(framed(stock, number, place, rng, odds, handling), rng, odds, side)


def framed(
    stock: Stock,
    number: int,
    place: Placer,
    rng: Generator,
    odds: camera.EffectProbabilities,
    handling: Handling = LAID_FLAT,
) -> Frame:
    """Returns the frame that the camera of `compose` sees."""
    frame = _frame(rng)
    canvas = _table(stock if number else _without_bills(stock), frame, rng)
    owner = np.zeros(canvas.shape[:2], np.int16)
    if rng.random() < _THINGS:
        _scatter(stock, canvas, owner, rng)
    quads = place(number, frame, rng) if number else []
    shadows = rng.spawn(1)[0].random() < odds.shadow
    hand = _hand(quads, canvas, rng, handling.held)
    laid = _lay(stock, canvas, owner, quads, rng, shadows=shadows, bent=handling.bent)
    if hand:
        hands.draw_before(hand, canvas, owner, rng.spawn(1)[0])
    if rng.random() < _COVERED:
        _cover(canvas, owner, rng)
    return Frame(canvas, *visible(laid, owner), empty=not laid)


def _frame(rng: Generator) -> tuple[int, int]:
    """Returns the width and height of a photo of a usual aspect ratio, as long as a scene."""
    short = 2 * int(COUNT_SIZE / 2 * rng.choice([9 / 16, 3 / 4, 3 / 4, 1.0, rng.uniform(0.5, 1)]))
    return (COUNT_SIZE, short) if rng.random() < 0.6 else (short, COUNT_SIZE)


def _without_bills(stock: Stock) -> Stock:
    """Returns the stock with its other things added to the backgrounds."""
    return stock._replace(backgrounds=stock.backgrounds + stock.things)


def _table(stock: Stock, frame: tuple[int, int], rng: Generator) -> Pixels:
    if rng.random() < _PLAIN:
        colour = rng.integers(0, 256, 3) if rng.random() < 0.6 else np.full(3, 255)
        return np.full((frame[1], frame[0], 3), colour, np.uint8)
    whole = layout.table(stock.backgrounds[rng.integers(len(stock.backgrounds))], rng)
    return np.asarray(cv2.resize(whole, frame, interpolation=cv2.INTER_AREA), np.uint8)


def _scatter(stock: Stock, canvas: Pixels, owner: NDArray[np.int16], rng: Generator) -> None:
    """Lays down up to three other things; notes among them are marked as unclear."""
    height, width = canvas.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        is_note = bool(stock.notes) and rng.random() < 0.4
        of = stock.notes if is_note else stock.things
        if not of:
            continue
        place = places.quad(
            (rng.uniform(0, width), rng.uniform(0, height)),
            max(width, height) * rng.uniform(0.15, 0.6),
            rng.uniform(0, 2 * np.pi),
            rng,
        )
        layout.paste(of[rng.integers(len(of))], place, canvas)
        cv2.fillConvexPoly(owner, place.astype(np.int32), -1 if is_note else 0)


def _lay(
    stock: Stock,
    canvas: Pixels,
    owner: NDArray[np.int16],
    quads: list[Quad],
    rng: Generator,
    *,
    shadows: bool,
    bent: float,
) -> list[tuple[str, Quad]]:
    laid = []
    (chance,) = rng.spawn(1)
    for number, place in enumerate(quads, 1):
        label = str(rng.choice(sorted(stock.bills)))
        bill = _any_of(stock.bills[label], rng)
        if shadows:
            _cast_shadow(canvas, place, chance)
        bill = _worn(bill, rng)
        if bent and chance.random() < bent:
            owner[paper.lay_bent(bill, place, canvas, chance)] = number
        else:
            layout.paste(bill, place, canvas)
            cv2.fillConvexPoly(owner, place.astype(np.int32), number)
        laid.append((label, place))
    return laid


def _hand(quads: list[Quad], canvas: Pixels, rng: Generator, held: float) -> hands.Hand | None:
    """Returns the hand that holds bills, if any, after drawing its part behind the bills."""
    if not (held and quads):
        return None
    (chance,) = rng.spawn(1)
    if chance.random() >= held:
        return None
    hand = hands.hand_at(quads, chance)
    hands.draw_behind(hand, canvas, chance)
    return hand


def _any_of(sides: list[list[Pixels]], rng: Generator) -> Pixels:
    pictures = sides[rng.integers(len(sides))] if len(sides) > 1 else sides[0]
    return pictures[rng.integers(len(pictures))]


def _cast_shadow(canvas: Pixels, place: Quad, rng: Generator) -> None:
    """Darkens the canvas below a bill along its edges, which never lie quite flat."""
    mask = np.zeros(canvas.shape[:2], np.uint8)
    moved = place + rng.normal(0, 4, 2).astype(np.float32)
    cv2.fillConvexPoly(mask, moved.astype(np.int32), rng.uniform(60, 200))
    wide = int(rng.integers(3, 16))
    kept = cv2.merge([255 - cv2.blur(mask, (wide, wide))] * 3)
    cv2.multiply(canvas, kept, dst=canvas, scale=1 / 255)


def _worn(bill: Pixels, rng: Generator) -> Pixels:
    """Returns a bill with random light and colour, and perhaps a fold."""
    light = rng.uniform(0.75, 1.15) * np.exp(rng.normal(0, 0.05, 3))
    shade = np.ones(bill.shape[1])
    if rng.random() < 0.4:
        at = int(bill.shape[1] * rng.uniform(0.15, 0.85))
        shade[at:] = rng.uniform(0.7, 1.1)
        shade[max(0, at - 2) : at + 1] *= rng.uniform(0.6, 1)
    return np.asarray(np.clip(bill * light * shade[None, :, None], 0, 255), np.uint8)


def _cover(canvas: Pixels, owner: NDArray[np.int16], rng: Generator) -> None:
    """Draws up to three fingers, as ellipses in the colour of skin, at random places."""
    height, width = canvas.shape[:2]
    skin = rng.uniform(0.3, 1.0) * np.array([240, 200, 175])
    for _ in range(int(rng.integers(1, 4))):
        centre = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        axes = (int(width * rng.uniform(0.04, 0.14)), int(height * rng.uniform(0.04, 0.14)))
        turn = float(rng.uniform(0, 180))
        cv2.ellipse(canvas, centre, axes, turn, 0, 360, [int(c) for c in skin], -1)
        cv2.ellipse(owner, centre, axes, turn, 0, 360, 0, -1)
