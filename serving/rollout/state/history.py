"""The history of commands: an append-only file of JSON lines beside the configuration."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from serving.rollout.state.files import append, read_lines
from serving.traffic import VERSIONS


class Check(NamedTuple):
    """What loading a version in a fresh process showed.

    Attributes:
        growth_bytes: by how much the process grew.
        golden: a few words about the golden photos, or none.
    """

    growth_bytes: int
    golden: str = ""

    def __str__(self) -> str:
        golden = f", {self.golden}" if self.golden else ""
        return f"good, takes {self.growth_bytes / 1e6:,.0f} MB of memory{golden}"


class History:
    """The log of all rollouts of a model."""

    def __init__(self, file: Path, model: str) -> None:
        self._file = file
        self._model = model

    def note(self, command: str, event: str, **facts: Any) -> None:
        """Adds a line: what a command began, did, finished or could not do."""
        origin = {"time": now(), "user": user(), "model": self._model}
        append(self._file, {**origin, "command": command, "event": event, **facts})

    def lines(self) -> list[dict[str, Any]]:
        """All lines about this model, oldest first."""
        return [line for line in read_lines(self._file) if line.get("model") == self._model]

    def highest_version(self) -> int:
        """The highest number that was ever published, so that a deleted one is not used again."""
        numbers = [line.get("published") for line in self.lines()]
        return max([0, *(n for n in numbers if type(n) is int and n in VERSIONS)])

    def unfinished(self) -> str | None:
        """The last command, where it neither finished nor failed: its process was killed."""
        ends = [line for line in self.lines() if line.get("event") in ("began", "done", "failed")]
        return str(ends[-1].get("command")) if ends and ends[-1]["event"] == "began" else None


def now() -> str:
    """The time, as the history has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def user() -> str:
    """The name of the user that runs this process, or its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
