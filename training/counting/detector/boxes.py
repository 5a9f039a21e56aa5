"""Turns the detector's map into boxes, in the graph: peaks, corners, and one box for each bill."""

from typing import NamedTuple

import tensorflow as tf

from training.counting.detector.targets import CELLS

PLACES = 16
"""The most bills in one picture."""
_CANDIDATES = 24
_SAME = 0.18
"""Two boxes show the same bill if one's centre is within this share of the other's sides."""


class Boxes(NamedTuple):
    """Candidates for bills in N pictures, the surest first.

    Attributes:
        heat: float32 [N,16], from 0 to 1; 0 where a place is empty.
        centre: float32 [N,16,2], in shares of the square.
        along: float32 [N,16,2]: half the width, as a vector.
        across: float32 [N,16,2]: half the height, as a vector.
    """

    heat: tf.Tensor
    centre: tf.Tensor
    along: tf.Tensor
    across: tf.Tensor

    def corners(self) -> tf.Tensor:
        """Returns float32 [N,16,4,2], clockwise from the upper left."""
        signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        return tf.stack([self.centre + a * self.along + b * self.across for a, b in signs], axis=2)


def boxes(found: tf.Tensor) -> Boxes:
    """Returns the candidates in a map, float32 [N,28,28,7], see `targets.target`."""
    heat = tf.sigmoid(found[..., 0])
    highest = tf.nn.max_pool2d(heat[..., None], 3, 1, "SAME")[..., 0]
    peaks = tf.where(heat >= highest, heat, 0)
    count = tf.shape(found)[0]
    heat, index = tf.math.top_k(tf.reshape(peaks, [count, CELLS * CELLS]), _CANDIDATES)
    rows = tf.reshape(found, [count, CELLS * CELLS, found.shape[-1]])
    candidates = _decoded(heat, index, tf.gather(rows, index, batch_dims=1))
    return _once(candidates)


def _decoded(heat: tf.Tensor, index: tf.Tensor, values: tf.Tensor) -> Boxes:
    cell = tf.cast(tf.stack([index % CELLS, index // CELLS], -1), tf.float32) + 0.5
    centre = (cell + values[..., 1:3]) / CELLS
    half = tf.exp(tf.clip_by_value(values[..., 3:5], -1.0, 3.6)) / (2 * CELLS)
    turn = tf.atan2(values[..., 6], values[..., 5]) / 2
    c, s = tf.cos(turn), tf.sin(turn)
    along = tf.stack([c, s], -1) * half[..., :1]
    across = tf.stack([-s, c], -1) * half[..., 1:]
    return Boxes(heat, centre, along, across)


def _once(candidates: Boxes) -> Boxes:
    """Drops candidates if a surer one shows the same bill, and keeps the first `PLACES`."""
    same = _same_bill(candidates)
    kept = [tf.ones_like(candidates.heat[:, 0], tf.bool)]
    for number in range(1, _CANDIDATES):
        earlier = tf.stack(kept, 1) & same[:, number, :number]
        kept.append(~tf.reduce_any(earlier, 1))
    heat = tf.where(tf.stack(kept, 1), candidates.heat, 0)
    heat, order = tf.math.top_k(heat, PLACES)
    rest = (tf.gather(part, order, batch_dims=1) for part in candidates[1:])
    return Boxes(heat, *rest)


def _same_bill(candidates: Boxes) -> tf.Tensor:
    """Returns whether the centre of candidate i is well inside candidate j, bool [N,24,24]."""
    apart = candidates.centre[:, :, None] - candidates.centre[:, None]
    inside = [
        tf.abs(tf.reduce_sum(apart * side[:, None], -1)) <= _SAME * 2 * _squared(side)[:, None]
        for side in (candidates.along, candidates.across)
    ]
    parallel = tf.abs(
        tf.reduce_sum(_unit(candidates.along)[:, :, None] * _unit(candidates.along)[:, None], -1)
    )
    return inside[0] & inside[1] & (parallel > 0.97)


def _squared(side: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(side**2, -1)


def _unit(side: tf.Tensor) -> tf.Tensor:
    return side / tf.sqrt(_squared(side)[..., None] + 1e-12)
