"""Bins of the model's confidence, and the confidence that the model card of a version expects.

The card has counts of the pictures that the version was measured on, by confidence. `/metrics`
shows their shares next to the counts of answered photos, so that Prometheus can compare the two
distributions (population stability index, see `deploy/monitoring/rules.yml`).
"""

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from webapp.inference.model_cards import card_file, read_card

_log = logging.getLogger("webapp")

BINS = 15
"""Equal bins from 0 to 1, the same as in the card's `reliability`."""
SMOOTHING = 0.5
"""Added to the count of each bin, since the index is not defined for an empty bin."""
_MOST_VERSIONS = 20
# The errors of a card without usable figures: anything can stand in the place of each of them.
_UNUSABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)

LABELS = tuple(f"{n / BINS:.2f}-{(n + 1) / BINS:.2f}" for n in range(BINS))


def label_of(confidence: float) -> str:
    """Return the bin of a confidence from 0 to 1, such as `0.93-1.00`."""
    return LABELS[min(int(confidence * BINS), BINS - 1)]


class ExpectedConfidence:
    """The model cards in a folder of versions; versions never change, so each card is read once.

    A card that is not there yet is read later, since the files of a version may still be copied.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder) if folder else None
        self._read: dict[int, dict[str, float]] = {}
        self._warned: set[int] = set()

    def expected(self) -> dict[int, dict[str, float]]:
        """Return the share of pictures in each bin, by version; omit versions without figures."""
        for version in self._versions() - self._read.keys():
            with suppress(OSError):
                self._read[version] = self._shares(version)
        return {version: shares for version, shares in self._read.items() if shares}

    def _versions(self) -> set[int]:
        try:
            names = [path.name for path in self._folder.iterdir()] if self._folder else []
        except OSError:
            return set()
        numbers = {int(name) for name in names if name.isascii() and name.isdecimal()}
        return set(sorted(numbers)[-_MOST_VERSIONS:])

    def _shares(self, version: int) -> dict[str, float]:
        folder = Path(str(self._folder))
        try:
            return shares(read_card(folder, version))
        except (OSError, *_UNUSABLE) as error:
            if version not in self._warned:
                file = card_file(folder, version)
                _log.warning("%s does not say how sure the version should be: %r", file, error)
                self._warned.add(version)
            if isinstance(error, OSError):
                raise
            return {}


def shares(card: dict[str, Any]) -> dict[str, float]:
    """Return the share of pictures in each bin, of those from another source if the card has any.

    Raises:
        Exception: One of `_UNUSABLE`: the card has no such figures.
    """
    measures = card["measures"]
    found = (measures.get("other_source") or measures["held_out"])["reliability"]
    counts = dict.fromkeys(LABELS, SMOOTHING)
    for each in found:
        # `confidence` is the mean of a bin, which lies within the bin.
        counts[label_of(each["confidence"])] += each["count"]
    return {label: count / sum(counts.values()) for label, count in counts.items()}
