"""Composes pictures at the edges of the classes from photos, since few such photos exist.

A picture of different bills belongs to no class: its label is shared by their classes, so that the
answer is unsure. Notes with values that do not exist, and textures, are `Other`.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augmentation import augment, layout, several
from training.augmentation.camera import Pixels
from training.augmentation.made_up import FONTS, VALUES, is_flat, made_up
from training.augmentation.textures import texture
from training.data.dataset import OTHER

_T = TypeVar("_T")
Labelled = tuple[Pixels, NDArray[np.float32]]

_SHARES = {"several": 0.5, "made up": 0.3, "texture": 0.2}


class Edges:
    """Composes such pictures from photos.

    Attributes:
        kinds: The kinds that these photos suffice for, of `several`, `made up` and `texture`.
    """

    def __init__(
        self,
        pictures: list[Pixels],
        labels: NDArray[np.float32],
        classes: Sequence[str],
        backgrounds: list[Pixels],
        odds: augment.EffectProbabilities,
        *,
        values: dict[str, str] = VALUES,
        fonts: Sequence[str] = FONTS,
    ) -> None:
        """Sorts the photos.

        Args:
            pictures: uint8 [H,W,3] RGB each.
            labels: The class of each, float32 [N,C].
            classes: The names of the C classes.
            backgrounds: The pictures to lay bills on.
            odds: The probability of each effect of light and lens.
            values: The values of made-up notes, each with its words, see `made_up`.
            fonts: The fonts of made-up notes.
        """
        other = labels @ np.array([name == OTHER for name in classes]) > 0
        self._bills = _by_class(pictures, labels, ~other)
        self._flat = _by_class(pictures, labels, ~other & [is_flat(p) for p in pictures])
        self._others = [p for p, is_other in zip(pictures, other, strict=True) if is_other]
        self._backgrounds, self._odds = backgrounds, odds
        self._values, self._fonts = values, fonts
        self._other_label = np.array([name == OTHER for name in classes], np.float32)
        possible = {
            "several": len(self._bills) > 1,
            "made up": bool(self._flat and self._others),
            "texture": bool(self._others),
        }
        self.kinds = [kind for kind in _SHARES if possible[kind]]

    def any(self, rng: Generator) -> Labelled:
        """Returns `draw` of a random kind; `kinds` must not be empty."""
        shares = np.array([_SHARES[kind] for kind in self.kinds])
        return self.draw(self.kinds[rng.choice(len(shares), p=shares / shares.sum())], rng)

    def draw(self, kind: str, rng: Generator) -> Labelled:
        """Returns a picture, uint8 [224,224,3], and its label, float32 [C], which sums to 1."""
        if kind == "several":
            lay_out = len(self._flat) > 1 and rng.random() < 0.5
            return self._laid_out(rng) if lay_out else self._side_by_side(rng)
        if kind == "made up":
            return self._view(self._made_up(rng), rng, whole=True), self._other_label
        pixels = texture(_any(self._others, rng), rng)
        filled = rng.random() < 0.5
        odd = self._filled(pixels, rng) if filled else self._view(pixels, rng, whole=False)
        return odd, self._other_label

    def _made_up(self, rng: Generator) -> Pixels:
        bill = _any(self._flat[_any(list(self._flat), rng)], rng)
        return made_up(bill, _any(self._others, rng), rng, self._values, self._fonts)

    def _side_by_side(self, rng: Generator) -> Labelled:
        chosen = _classes(self._bills, int(rng.integers(2, 4)), rng)
        bills = [_any(self._bills[label], rng) for label in chosen]
        picture = several.side_by_side(bills, rng)
        filled = rng.random() < 0.4
        pixels = self._filled(picture, rng) if filled else self._view(picture, rng, whole=True)
        return pixels, self._shared(chosen)

    def _laid_out(self, rng: Generator) -> Labelled:
        while True:
            chosen = _classes(self._flat, int(rng.integers(2, 6)), rng)
            bills = [_any(self._flat[label], rng) for label in chosen]
            canvas, seen = several.laid_out(bills, self._background(rng), rng)
            half_seen = (seen > several.HIDDEN) & (seen < several.SEEN)
            shown = [
                label for label, share in zip(chosen, seen, strict=True) if share >= several.SEEN
            ]
            if shown and not half_seen.any():
                pixels = augment.as_photographed(layout.shrunk(canvas), rng, self._odds)
                return pixels, self._shared(shown)

    def _filled(self, picture: Pixels, rng: Generator) -> Pixels:
        """Returns a view of a picture that fills the frame, stretched as preprocessing does it."""
        return augment.as_photographed(layout.shrunk(picture), rng, self._odds)

    def _view(self, picture: Pixels, rng: Generator, *, whole: bool) -> Pixels:
        return augment.view(picture, self._background(rng), rng, self._odds, whole=whole)

    def _shared(self, labels: Sequence[int]) -> NDArray[np.float32]:
        """Returns a label with equal shares for all visible denominations."""
        row = np.zeros_like(self._other_label)
        row[sorted(set(labels))] = 1 / len(set(labels))
        return row

    def _background(self, rng: Generator) -> Pixels:
        return self._backgrounds[rng.integers(len(self._backgrounds))]


def _by_class(
    pictures: list[Pixels], labels: NDArray[np.float32], wanted: NDArray[np.bool_]
) -> dict[int, list[Pixels]]:
    found: dict[int, list[Pixels]] = {}
    for picture, label, take in zip(pictures, labels.argmax(1), wanted, strict=True):
        if take:
            found.setdefault(int(label), []).append(picture)
    return found


def _classes(bills: dict[int, list[Pixels]], number: int, rng: Generator) -> list[int]:
    """Returns `number` classes of which at least two differ."""
    known = sorted(bills)
    first = rng.choice(known, 2, replace=False)
    chosen = [*first, *rng.choice(known, number - 2)]
    return [int(label) for label in rng.permutation(chosen)]


def _any(of: Sequence[_T], rng: Generator) -> _T:
    return of[int(rng.integers(len(of)))]
