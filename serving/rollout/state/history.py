"""The history of commands: an append-only file of JSON lines next to the configuration."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serving.rollout.state.files import append, read_lines
from serving.traffic import VERSIONS


class History:
    """The log of all rollouts of a model."""

    def __init__(self, file: Path, model: str) -> None:
        self._file = file
        self._model = model

    def note(self, command: str, event: str, **facts: Any) -> None:
        """Adds a line about a command, such as its beginning, a step, its end or its failure."""
        origin = {"time": now(), "user": user(), "model": self._model}
        append(self._file, {**origin, "command": command, "event": event, **facts})

    def note_version(self, command: str, version: int) -> None:
        """Adds that a version is loaded or deleted, whose number must not be given again."""
        self.note(command, "version", version=version)

    def lines(self) -> list[dict[str, Any]]:
        """Returns all lines about this model, oldest first."""
        return [line for line in read_lines(self._file) if line.get("model") == self._model]

    def versions(self) -> set[int]:
        """Returns all numbers published, loaded or deleted, of which none is given again."""
        numbers = [line.get(fact) for line in self.lines() for fact in ("published", "version")]
        return {number for number in numbers if type(number) is int and number in VERSIONS}

    def unfinished(self) -> str | None:
        """Returns the last command if it neither finished nor failed: it runs or was killed."""
        ends = [line for line in self.lines() if line.get("event") in ("began", "done", "failed")]
        return str(ends[-1].get("command")) if ends and ends[-1]["event"] == "began" else None


def now() -> str:
    """Returns the current time in the history's format."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def user() -> str:
    """Returns the name of the user that runs this process, or `somebody` if it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
