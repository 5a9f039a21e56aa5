"""What is kept beside a photo that was sent back."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

UNLISTED = "unlisted"
"""The class of a photo whose class the model does not know; a reviewer gives it one."""
# One folder each: no way out of it, and nothing that hides.
_CLASS = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,63}")


@dataclass(frozen=True)
class Feedback:
    """What is kept beside a photo, and nothing about the person.

    Attributes:
        was: What the sender says that it shows: a class of the model, or `UNLISTED`.
        answered: What was answered; None where the model was not sure.
        version: The version that gave `probabilities`, None where the protocol does not tell.
        probabilities: That version's answer for the photo as it is kept.
        days: For how many days it may be kept.
        time: When it came, in ISO 8601.
        id: Deletes it; nobody can guess it.
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
        """When it is deleted at the latest, which later settings do not change."""
        return datetime.fromisoformat(self.time) + timedelta(days=self.days)


def is_class(name: str) -> bool:
    """Tells whether a name can be that of a class's folder."""
    return _CLASS.fullmatch(name) is not None
