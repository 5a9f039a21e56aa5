"""Who did what when: an append-only file of JSON lines beside the configuration."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from serving.rollout.files import append, read_lines


class Check(NamedTuple):
    """What loading a version in a fresh process showed."""

    growth_bytes: int

    def __str__(self) -> str:
        return f"good, takes {self.growth_bytes / 1e6:,.0f} MB of memory"


class History:
    """The log of all rollouts of a model."""

    def __init__(self, file: Path, model: str) -> None:
        self._file = file
        self._model = model

    def note(self, command: str, event: str, **facts: Any) -> None:
        """Adds a line: what a command began, did, finished or could not do."""
        who = {"time": now(), "user": user(), "model": self._model}
        append(self._file, {**who, "command": command, "event": event, **facts})

    def lines(self) -> list[dict[str, Any]]:
        """All lines about this model, oldest first."""
        return [line for line in read_lines(self._file) if line.get("model") == self._model]

    def check_of(self, digest: str) -> Check | None:
        """The last good check of files with this digest."""
        checks = [line for line in self.lines() if line.get("checked") == digest]
        return Check(int(checks[-1]["growth_bytes"])) if checks else None

    def highest_version(self) -> int:
        """The highest number that was ever published, so that a deleted one is not used again."""
        return max((int(line.get("published", 0)) for line in self.lines()), default=0)

    def unfinished(self) -> str | None:
        """The last command, where it neither finished nor failed: its process was killed."""
        ends = [line for line in self.lines() if line["event"] in ("began", "done", "failed")]
        return str(ends[-1]["command"]) if ends and ends[-1]["event"] == "began" else None


def now() -> str:
    """The time, as the history has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def user() -> str:
    """The name of whoever runs this; a process without one is told by its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
