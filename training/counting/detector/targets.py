"""The detector's target for a scene: a spot on each bill, and from there the bill's rectangle.

The heat map is that of CenterNet (Zhou, Wang, Kraehenbuehl, 2019, "Objects as Points"). But its
Gaussians lie where a bill's visible part is widest, not at the rectangle's centre: in a fan, the
centres lie close together, and mostly on another bill.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.counting.scenes.places import Quad
from training.counting.scenes.scene import Scene
from training.counting.scenes.visible import Bill

STRIDE = 8
"""Pixels of the detector's input per cell of its map."""
DETECTOR_SIZE = 224
"""The side of the detector's input in pixels: half of the counter's, by averaging four pixels."""
CELLS = DETECTOR_SIZE // STRIDE
CHANNELS = 7
"""The channels of the map: heat, offset (2), size (2), turn (2)."""

_SPREAD = 0.35
"""The deviation of a Gaussian, as a share of the distance to the edge of the visible part."""
_NEAR = 0.4
"""The heat above which a cell learns the rectangle."""

_Floats = NDArray[np.float32]


class Turned(NamedTuple):
    """A rectangle at any angle.

    Attributes:
        centre: x and y, in shares of the square.
        size: The lengths along the bill's own width and height.
        turn: The direction of the width, in radians.
    """

    centre: NDArray[np.floating]
    size: NDArray[np.floating]
    turn: float


def turned(box: Quad) -> Turned:
    """Returns the rectangle nearest to four corners, float32 [4,2]."""
    along = (box[1] - box[0] + box[2] - box[3]) / 2
    across = (box[3] - box[0] + box[2] - box[1]) / 2
    turn = math.atan2(along[1], along[0])
    # The width gives the direction, unless so little of it is visible that the height is clearer.
    if np.hypot(*along) < 0.5 * np.hypot(*across):
        turn = math.atan2(-across[0], across[1])
    size = np.array([np.hypot(*along), np.hypot(*across)])
    return Turned(box.mean(0), size, turn)


def target(scene: Scene) -> tuple[_Floats, _Floats]:
    """Returns a scene's target, float32 [28,28,7], and the weights of each cell, [28,28,2].

    The channels of the target: heat from 0 to 1; x and y of the centre from the cell's centre, in
    cells; the logarithms of width and height in cells; cosine and sine of twice the turn, since a
    rectangle upside down is the same. The two weights are for the heat and for the other channels.
    """
    wanted = np.zeros((CELLS, CELLS, CHANNELS), np.float32)
    counted = np.zeros((CELLS, CELLS, 2), np.float32)
    counted[..., 0] = 1 - scene.unclear.reshape(CELLS, len(scene.unclear) // CELLS, CELLS, -1).mean(
        (1, 3)
    )
    for bill in scene.bills:
        _add(bill, wanted, counted)
    return wanted, counted


def _add(bill: Bill, wanted: _Floats, counted: _Floats) -> None:
    """Writes a bill into the cells where it has more heat than every other bill."""
    x, y = _cell_centres()
    away = (bill.spot[0] * CELLS - x) ** 2 + (bill.spot[1] * CELLS - y) ** 2
    heat = np.exp(-away / (2 * max(_SPREAD * bill.radius * CELLS, 0.5) ** 2))
    peak = np.unravel_index(np.argmin(away), away.shape)
    heat[peak] = 1.0
    nearer = heat > wanted[..., 0]
    wanted[nearer, 1:] = _rectangle(bill.box)[nearer]
    counted[nearer, 1] = np.where(heat > _NEAR, heat, 0)[nearer]
    wanted[..., 0] = np.maximum(wanted[..., 0], heat)
    counted[peak][0] = 1.0


def _rectangle(box: Quad) -> _Floats:
    """Returns the rectangle's channels, as seen from each cell, float32 [28,28,6]."""
    x, y = _cell_centres()
    place = turned(box)
    dx, dy = place.centre[0] * CELLS - x, place.centre[1] * CELLS - y
    size = np.log(np.maximum(place.size * CELLS, 1.0))
    constant = [*size, math.cos(2 * place.turn), math.sin(2 * place.turn)]
    rest = np.broadcast_to(np.array(constant), (*dx.shape, 4))
    return np.concatenate([np.stack([dx, dy], -1), rest], -1).astype(np.float32)


def _cell_centres() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.meshgrid(np.arange(CELLS) + 0.5, np.arange(CELLS) + 0.5)
    return x, y
