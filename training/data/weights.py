"""How much each photo counts: when training photos are drawn, and in averages."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Photo, classes_of


def sampling_weights(
    photos: list[Photo], classes: Mapping[str, float], sources: Mapping[str, float]
) -> NDArray[np.float64]:
    """Returns each photo's probability of being drawn, float64 [N], summing to 1.

    Within a class each side of each source counts by the square root of its size, so that one large
    set of similar photos does not outweigh the others, nor the many fronts the few backs.

    Args:
        photos: All photos to draw from.
        classes: How many times as often as the other classes to draw a class; 1 where not named.
        sources: How many times as often as usual to draw a source within each of its classes; 1
            where not named.
    """
    sizes = Counter((photo.label, photo.source, photo.side) for photo in photos)
    raw = np.array(
        [
            sources.get(photo.source, 1.0) * sizes[photo.label, photo.source, photo.side] ** -0.5
            for photo in photos
        ]
    )
    for label in classes_of(photos):
        members = np.array([photo.label == label for photo in photos])
        raw[members] *= classes.get(label, 1.0) / raw[members].sum()
    return np.asarray(raw / raw.sum())


def macro_weights(photos: list[Photo]) -> NDArray[np.float32]:
    """Returns the weight of each photo in a macro average, float32 [N], with a mean of 1.

    All classes count the same, and so do all sources within a class: a mean with these weights
    cannot be good while one class, or one source of it, is bad, however few photos it has.
    """
    sources = Counter(label for label, _ in {(photo.label, photo.source) for photo in photos})
    sizes = Counter((photo.label, photo.source) for photo in photos)
    raw = [1 / (sources[p.label] * sizes[p.label, p.source]) for p in photos]
    return np.asarray(np.array(raw) / np.mean(raw), np.float32)
