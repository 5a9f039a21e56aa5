"""Finds the places that a detector takes for bills, in one picture."""

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from training.augmentation.camera import Pixels
from training.counting.detector.boxes import boxes
from training.counting.detector.targets import Turned
from training.counting.graph.counter import IMAGE, LOOKED_AT, halved

Finder = Callable[[Pixels], list[Turned]]
"""Maps uint8 [448,448,3] to the places that are taken for bills, the hottest first."""


def finder(detector: keras.Model) -> Finder:
    """Wraps a detector into such a function; it finds the places that a version would read."""
    look = tf.function(
        lambda image: tuple(boxes(detector(halved(image), training=False))),
        input_signature=[IMAGE],
    )

    def find(pixels: Pixels) -> list[Turned]:
        heat, *vectors = (part.numpy()[0] for part in look(pixels[None]))
        return [
            _turned(*place) for hot, *place in zip(heat, *vectors, strict=True) if hot > LOOKED_AT
        ]

    return find


def _turned(centre: np.ndarray, along: np.ndarray, across: np.ndarray) -> Turned:
    size = 2 * np.array([np.hypot(*along), np.hypot(*across)])
    return Turned(centre, size, math.atan2(along[1], along[0]))
