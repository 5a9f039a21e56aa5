"""Counts of a model's calls, by which a rollout judges its versions."""

from collections.abc import Callable
from dataclasses import dataclass, field

from serving.client import ServingError

Count = Callable[[int | None, str, str, float], None]
"""Counts a call of one model: its version; sent as `stable`, `canary`, `shadow` or `named`; `ok` or
what kind of error; seconds."""


def no_count(_version: int | None, _sent_as: str, _result: str, _seconds: float) -> None:
    """For callers that keep no counts."""


@dataclass(frozen=True)
class Calls:
    """Counts the calls of one model; safe to use from many threads.

    Attributes:
        count: Keeps the counts.
        answered_last: The version that answered last, by what calls were sent as.
    """

    count: Count = no_count
    answered_last: dict[str, int] = field(default_factory=dict)

    def answered(self, sent_as: str, version: int | None, seconds: float) -> None:
        """Count a call that was answered, by a version that REST does not always tell."""
        if version is not None:
            self.answered_last[sent_as] = version
        self.count(version, sent_as, "ok", seconds)

    def failed(
        self, sent_as: str, version: int | None, error: ServingError, seconds: float
    ) -> None:
        """Count a call that failed; one by label, for the version that had the label last.

        A version number from a request may not exist, so it is not counted under.
        """
        known = None if sent_as == "named" else version or self.answered_last.get(sent_as)
        self.count(known, sent_as, type(error).__name__, seconds)
