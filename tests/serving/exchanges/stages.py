"""Running servers for the recorded cases: one per set of equal flags, and one for each sequence."""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path

import pytest

from tests.serving.exchanges import replay
from tests.serving.exchanges.recorded import BAD_MODELS, Case, Stage, cases

PATIENCE_SECONDS = 5.0
MOST_SHARED = 3
"""Servers kept for further cases; each holds half a gigabyte."""


class Stages:
    """Starts servers as they are asked for, and keeps them until the end."""

    def __init__(self, models: Path, folders: pytest.TempPathFactory) -> None:
        self.models = models
        self._folders = folders
        self._started: dict[int, Stage] = {}
        self._reloads: dict[int, dict[str, str]] = {}
        self._all: list[Stage] = []

    def prepare(self, case: Case) -> Stage:
        """A stage of its own, whose server is not started yet."""
        stage = Stage(case, self._folders.mktemp("recorded"), self.models)
        self._all.append(stage)
        return stage

    def shared(self, case: Case) -> Stage:
        """The stage of all cases with the same flags and models."""
        if case.server not in self._started:
            if len(self._started) == MOST_SHARED:
                oldest = next(iter(self._started))
                self._started.pop(oldest).server.kill()
            stage = self.prepare(case)
            stage.server.start()
            self._started[case.server] = stage
        self.skip_without_hp2(case)
        return self._started[case.server]

    def of_reloads(self, case: Case) -> dict[str, str]:
        """Has the sequence of reloads that a case belongs to; the differences by case name."""
        if case.server not in self._reloads:
            stage = self.prepare(case)
            corrupt, empty = (self.models / name for name in BAD_MODELS)
            if not corrupt.exists():
                cut_version(self.models / "half" / "1", corrupt / "1")
                empty.mkdir()
            stage.server.start()
            sequence = cases(lambda c: 500 <= c.number < 553 and c.server == case.server)
            self._reloads[case.server] = {c.name: _eventually(c, stage) for c in sequence}
            stage.server.kill()
        self.skip_without_hp2(case)
        return self._reloads[case.server]

    def skip_without_hp2(self, case: Case) -> None:
        """Skips the test of a case whose model is not at hand."""
        if case.needs_hp2 and not (self.models / "hp2").exists():
            pytest.skip("the model hp2 is only where the original recordings are")

    def close(self) -> None:
        """Ends all servers."""
        for stage in self._all:
            stage.server.kill()


def cut_version(source: Path, target: Path) -> None:
    """A version whose `saved_model.pb` is cut in half."""
    shutil.copytree(source, target)
    file = target / "saved_model.pb"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _eventually(case: Case, stage: Stage) -> str:
    """The difference; after a reload things take their time, so others than reloads may wait."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while difference := _difference(case, stage):
        if "reload" in case.name or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return difference


def _difference(case: Case, stage: Stage) -> str:
    """From what is recorded, or else from the later state that the list allows."""
    difference = replay.difference(case, stage)
    if difference and case.later:
        return replay.difference(_no_longer_available(case), stage)
    return difference


def _no_longer_available(case: Case) -> Case:
    reply = case.record["reply"]
    then = reply | {"body": reply["body"].replace("AVAILABLE", case.later)}
    return dataclasses.replace(case, record=case.record | {"reply": then})
