"""The record that is stored with a photo that was sent back."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

UNLISTED = "unlisted"
"""The class of a photo whose class the model does not know; a reviewer assigns one later."""
# Each class names one folder: no path separators, and no leading dot, which hides a folder.
_CLASS = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,63}")


@dataclass(frozen=True)
class Feedback:
    """The record of one photo, with no data about the person.

    Attributes:
        was: The class that the sender gives: a class of the model, or `UNLISTED`.
        answered: The class that was answered; None if the model was not sure.
        version: The version that gave `probabilities`; None if the protocol does not report it.
        probabilities: That version's probabilities for the photo.
        days: Days for which the photo may be kept.
        time: When the photo arrived, in ISO 8601.
        id: A random, unguessable id, with which the sender can delete the photo.
    """

    was: str
    answered: str | None
    version: int | None
    probabilities: dict[str, float]
    days: int
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    id: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def until(self) -> datetime:
        """The time by which the photo is deleted; later changes of settings do not affect it."""
        return datetime.fromisoformat(self.time) + timedelta(days=self.days)


def is_class(name: str) -> bool:
    """Report whether a name can be the name of a class's folder."""
    return _CLASS.fullmatch(name) is not None
