"""What a command leaves when something other than a step's own work fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serving.rollout import commands
from serving.rollout.errors import Refused
from serving.rollout.state.deployment import Deployment
from serving.rollout.state.history import History
from serving.rollout.steps import Command, Step, run
from tests.serving.rollout.conftest import do, where
from tests.support.servers import ROOT


class Full(History):
    """A history that takes lines about the beginning only."""

    def note(self, command: str, event: str, **facts: Any) -> None:
        """Adds the line, or fails."""
        if event != "began":
            raise OSError(28, "No space left on device")
        super().note(command, event, **facts)


def test_a_history_that_takes_no_more_lines_undoes_the_command(tmp_path: Path) -> None:
    undone: list[bool] = []
    command = Command("canary 2", [Step("labels", lambda: None)], lambda: undone.append(True))
    with pytest.raises(Refused, match=r"labels: .*No space left.*All is as it was before"):
        run(command, Full(tmp_path / "rollouts.jsonl", "half"), print)
    assert undone == [True]


def test_a_rollback_whose_output_goes_nowhere_is_complete(checked: Deployment) -> None:
    do(checked, commands.promote(checked, "promote", 2, commands.Limits()))
    command = [sys.executable, "-m", "serving", "rollout", *where(checked), "rollback"]
    with open("/dev/full", "w") as full:
        subprocess.run(command, cwd=ROOT, stdout=full, check=True)
        status = subprocess.run([*command[:-1], "status"], cwd=ROOT, stdout=full, check=False)
    assert checked.layout().labels == {"stable": 1}
    assert checked.history.lines()[-1]["event"] == "done"
    assert status.returncode != 0
