"""Measures how long a JPEG takes to become the model's tensor, at full or reduced scale."""

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
    """Decodes at full scale, then resizes: the obvious implementation."""
    return to_tensor(open_upright(data))


def reduced(data: bytes) -> np.ndarray:
    """Decodes at reduced scale, as the front end does."""
    return to_tensor(decode(at_reduced_scale(open_header(data))))


def decoding() -> dict[str, float]:
    """Returns the median milliseconds by way and photo; both ways are measured in turn."""
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
