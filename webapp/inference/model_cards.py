"""Reads the model cards in a folder of versions. A version and its card never change."""

import json
import logging
from pathlib import Path
from typing import Any

from webapp.names import Names, parse

_log = logging.getLogger("webapp")


def card_file(folder: Path, version: int) -> Path:
    """Return the path of a version's card."""
    return folder / str(version) / "assets.extra" / "model_card.json"


def read_card(folder: Path, version: int) -> dict[str, Any]:
    """Return the card of a version.

    Raises:
        OSError: The card does not exist, or cannot be read.
        ValueError: The card is not a JSON object.
    """
    try:
        card = json.loads(card_file(folder, version).read_bytes())
    except RecursionError as error:
        raise ValueError("Expected a JSON object. Received one nested too deeply.") from error
    if not isinstance(card, dict):
        raise ValueError(f"Expected a JSON object. Received {type(card).__name__}.")
    return card


class ClassNames:
    """The names of the classes of each version; safe to use from many threads.

    Args:
        folder: The folder of the versions; if empty, no version states any names.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder) if folder else None
        self._read: dict[int, Names] = {}

    def of(self, version: int | None) -> Names:
        """Return the names of a version; without a version or card, labels alone define them."""
        if self._folder is None or version is None:
            return Names()
        if version not in self._read:
            try:
                self._read[version] = parse(read_card(self._folder, version).get("names", {}))
            except OSError:
                # Not cached: a version's files may arrive after its first answers.
                return Names()
            except ValueError as error:
                _log.warning("names in %s: %s", card_file(self._folder, version), error)
                self._read[version] = Names()
        return self._read[version]
