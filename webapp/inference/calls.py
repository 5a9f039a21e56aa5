"""Counts of calls to a model, from which a rollout judges the model's versions."""

from collections.abc import Callable
from dataclasses import dataclass, field

from serving.client import ServingError

CountCall = Callable[[int | None, str, str, float], None]
"""Counts a call of one model. Takes the version; how the call was sent, `stable`, `canary`,
`shadow` or `named`; the result, `ok` or the kind of error; and the seconds."""


def no_count(_version: int | None, _sent_as: str, _result: str, _seconds: float) -> None:
    """Do nothing; for callers that keep no counts."""


@dataclass(frozen=True)
class CallCounts:
    """Counts the calls of one model; safe to use from many threads.

    Attributes:
        count: Stores the counts.
        answered_last: The version that answered last, by how calls were sent.
    """

    count: CountCall = no_count
    answered_last: dict[str, int] = field(default_factory=dict)

    def answered(self, sent_as: str, version: int | None, seconds: float) -> None:
        """Count a call that was answered; `version` is None where REST does not report it."""
        if version is not None:
            self.answered_last[sent_as] = version
        self.count(version, sent_as, "ok", seconds)

    def failed(
        self, sent_as: str, version: int | None, error: ServingError, seconds: float
    ) -> None:
        """Count a call that failed; without a version, for the one that last answered such calls.

        Calls sent as `named` count without a version: a version that clients name may not exist.
        """
        known = None if sent_as == "named" else version or self.answered_last.get(sent_as)
        self.count(known, sent_as, type(error).__name__, seconds)
