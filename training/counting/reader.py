"""The reader's training pictures: cut-outs of bills like the detector's, and of other places.

The classifier was trained on bills that fill much of a sharp picture. Bills cut out of a scene are
small, partly covered, and next to parts of other bills.
"""

import math

import numpy as np
import tensorflow as tf
from numpy.random import Generator

from training.augmentation.camera import EffectProbabilities, Pixels
from training.counting.detector.targets import Turned, turned
from training.counting.finding import Finder
from training.counting.graph.crops import cut_out
from training.counting.scenes.mixture import random_scene
from training.counting.scenes.scene import Scene, bare, taken
from training.counting.scenes.stock import Stock
from training.data.dataset import OTHER
from training.progress import say
from training.rehearsal.parts import Floats, Parts
from training.teaching.lessons import Examples
from webapp.imaging.preprocessing import COUNT_SIZE

_OTHER_PLACES = 3
"""The most places that are cut out of a scene without bills."""
_BARE = 0.2
"""The share of scenes that are a picture of something else, in addition to those of `mixture`."""
_TOGETHER = 512
"""How many cut-outs are kept as pixels at a time."""


def examples(stock: Stock, parts: Parts, find: Finder, number: int, rng: Generator) -> Examples:
    """Returns at least `number` cut-outs, as activations of the layer behind which `learn` trains.

    Args:
        stock: The photos that scenes are made of.
        parts: The classifier that is taught.
        find: A finder. In scenes without bills, the places that it wrongly takes for bills are cut
            out, because a version will read such places.
        number: How many cut-outs.
        rng: The only source of randomness.
    """
    activations: list[Floats] = []
    labels: list[str] = []
    while len(labels) < number:
        pixels, names = cut_outs(stock, find, min(number, _TOGETHER), rng)
        activations.append(parts.activations(pixels))
        labels += names
        say(f"cut-outs to read: {len(labels):,} of {number:,}")
    return Examples(np.concatenate(activations), np.array(labels))


def cut_outs(stock: Stock, find: Finder, number: int, rng: Generator) -> tuple[Pixels, list[str]]:
    """Returns at least `number` cut-outs, uint8 [M,224,224,3], and the class of each."""
    others = stock.things + stock.notes
    pixels: list[Pixels] = []
    names: list[str] = []
    while len(names) < number:
        if others and rng.random() < _BARE:
            made = taken(bare(others, rng), rng, EffectProbabilities(), COUNT_SIZE)
        else:
            made = random_scene(stock, rng)
        places = [(bill.label, turned(bill.box)) for bill in made.bills]
        if made.empty:
            deceived = find(made.pixels)[:_OTHER_PLACES] or [_anywhere(rng)]
            places = [(OTHER, place) for place in deceived]
        if places:
            pixels.append(_cut(made, [_moved(place, rng) for _, place in places]))
            names += [name for name, _ in places]
    return np.concatenate(pixels), names


def _cut(made: Scene, places: list[Turned]) -> Pixels:
    of = tf.zeros(len(places), tf.int32)
    return np.asarray(cut_out(tf.constant(made.pixels[None]), of, *vectors(places)))


def vectors(places: list[Turned]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns centres and half sides for `cut_out`, float32 [M,2] each."""
    turns = np.array([[math.cos(place.turn), math.sin(place.turn)] for place in places])
    sizes = np.array([place.size for place in places]) / 2
    across = np.stack([-turns[:, 1], turns[:, 0]], axis=1) * sizes[:, 1:]
    parts = (np.array([place.centre for place in places]), turns * sizes[:, :1], across)
    centre, along, across = (tf.constant(part, tf.float32) for part in parts)
    return centre, along, across


def _moved(place: Turned, rng: Generator) -> Turned:
    """Returns a place as a detector might find it: a little off, and perhaps upside down."""
    return Turned(
        place.centre + rng.normal(0, 0.04, 2) * place.size,
        place.size * np.exp(rng.normal(0, 0.06, 2)),
        place.turn + rng.normal(0, 0.04) + math.pi * int(rng.integers(2)),
    )


def _anywhere(rng: Generator) -> Turned:
    width = rng.uniform(0.2, 0.8)
    return Turned(
        rng.uniform(0.2, 0.8, 2),
        np.array([width, width * rng.uniform(0.3, 0.6)]),
        rng.uniform(0, 2 * math.pi),
    )
