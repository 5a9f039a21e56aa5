"""What it takes to make the model's tensor of a JPEG: all of its pixels, or at reduced scale."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from bench.photos import MEGAPIXEL, PHONE, jpeg
from webapp.imaging.preprocessing import (
    at_reduced_scale,
    decode,
    open_header,
    open_upright,
    to_tensor,
)

TIMES = 5


def full(data: bytes) -> np.ndarray:
    """A full decode followed by a resize, as one would write it without further thought."""
    return to_tensor(open_upright(data))


def reduced(data: bytes) -> np.ndarray:
    """What the front end does."""
    return to_tensor(decode(at_reduced_scale(open_header(data))))


def decoding() -> dict[str, float]:
    """Median milliseconds by way and photo; the ways take turns."""
    photos = {"1 megapixel": jpeg(MEGAPIXEL), "12 megapixels": jpeg(PHONE)}
    took: dict[str, list[float]] = {}
    for _ in range(TIMES):
        for photo, data in photos.items():
            for way in (full, reduced):
                took.setdefault(f"{way.__name__}, {photo}", []).append(_time(way, data))
    return {name: statistics.median(times) for name, times in took.items()}


def _time(way: Callable[[bytes], object], data: bytes) -> float:
    started = time.perf_counter()
    way(data)
    return 1000 * (time.perf_counter() - started)
