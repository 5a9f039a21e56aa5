"""What the model cards in a folder of versions say; a version never changes, so neither does it."""

import json
import logging
from pathlib import Path
from typing import Any

from webapp.names import Names, parse

_log = logging.getLogger("webapp")


def card_file(folder: Path, version: int) -> Path:
    """Where the card of a version lies."""
    return folder / str(version) / "assets.extra" / "model_card.json"


def read_card(folder: Path, version: int) -> dict[str, Any]:
    """The card of a version.

    Raises:
        OSError: There is none, or it cannot be read.
        ValueError: It is no JSON object.
    """
    card = json.loads(card_file(folder, version).read_bytes())
    if not isinstance(card, dict):
        raise ValueError(f"Expected a JSON object. Received {type(card).__name__}.")
    return card


class ModelNames:
    """The names of the classes of each version; safe to use from many threads.

    Args:
        folder: Of the versions; empty: no version states any.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder) if folder else None
        self._read: dict[int, Names] = {}

    def of(self, version: int | None) -> Names:
        """Those of a version; where it is not known, or has no card, the labels say all."""
        if self._folder is None or version is None:
            return Names()
        if version not in self._read:
            try:
                self._read[version] = parse(read_card(self._folder, version).get("names", {}))
            except OSError:
                # Not remembered: a version's files may come after its first answers.
                return Names()
            except ValueError as error:
                _log.warning("names in %s: %s", card_file(self._folder, version), error)
                self._read[version] = Names()
        return self._read[version]
