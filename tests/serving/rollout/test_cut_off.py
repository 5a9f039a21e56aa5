"""A command that is killed after any of its steps leaves a consistent state, and can be finished.

Each test kills one command after its first step, runs it again and kills it after the second step,
and so on: each call starts from the state that the killed one left.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from serving.client import connect
from serving.rollout.cli import main
from serving.rollout.report.status import status
from serving.rollout.state.deployment import Deployment
from serving.rollout.state.disk import digest_of
from serving.traffic import Traffic
from tests.serving import models
from tests.serving.rollout.conftest import where
from tests.support.servers import ROOT

X = {"x": np.array([0], np.float32)}
TRIAL = Traffic(2, 10.0)
CANARY = ["canary", "2"]
PROMOTE = ["promote", "2"]


def cut_off(deployment: Deployment, steps: int, command: list[str]) -> None:
    """Lets a process do some steps and then die as by `kill -9`."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.serving.rollout.cut_off",
            str(steps),
            *where(deployment),
            *command,
        ],
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 9


def told(deployment: Deployment) -> dict[int, tuple[str | None, list[str], float | None]]:
    """What `status` says of the versions that serve, where file and server agree on labels."""
    found = status(deployment, None, 0)
    assert "was cut off" in found.notes[-1]
    assert not [note for note in found.notes if "on the server" in note]
    serving = [row for row in found.rows if row.state == "AVAILABLE"]
    return {row.version: (row.state, row.labels, row.percent) for row in serving}


def answered(deployment: Deployment) -> int | None:
    client = connect(deployment.server.url)
    try:
        return client.predict("half", X, label="stable").version
    finally:
        client.close()


def require_truth(deployment: Deployment) -> None:
    """Compares the reported version with the one that answers."""
    versions = told(deployment)
    (stable,) = [number for number, (_, labels, _) in versions.items() if "stable" in labels]
    assert answered(deployment) == stable
    assert sum(percent or 0 for _, _, percent in versions.values()) == 100


def test_a_canary_can_be_cut_off_anywhere(checked: Deployment) -> None:
    for steps in range(7):
        cut_off(checked, steps, CANARY)
        require_truth(checked)
    assert main([*where(checked), *CANARY]) == 0
    assert checked.layout().labels == {"stable": 1, "canary": 2}
    assert checked.traffic() == TRIAL
    assert checked.history.unfinished() is None


def test_a_cut_off_canary_can_be_taken_back_instead(checked: Deployment) -> None:
    cut_off(checked, 5, CANARY)
    assert main([*where(checked), "rollback"]) == 0
    assert main([*where(checked), "retire", "2"]) == 0
    assert checked.layout().versions == frozenset({1})
    assert checked.layout().labels == {"stable": 1}
    assert answered(checked) == 1


@pytest.mark.parametrize("command", [["canary", "3"], ["promote", "3"]])
def test_a_rollback_takes_back_what_was_cut_off_and_not_the_change_before(
    checked: Deployment, command: list[str]
) -> None:
    assert main([*where(checked), *PROMOTE]) == 0
    assert checked.layout().labels == {"stable": 2, "previous": 1}
    for steps in (1, 4):
        cut_off(checked, steps, command)
        assert main([*where(checked), "rollback"]) == 0
        assert checked.layout().labels == {"stable": 2}
        assert answered(checked) == 2


def test_a_promotion_can_be_cut_off_anywhere(checked: Deployment) -> None:
    assert main([*where(checked), *CANARY]) == 0
    for steps in range(8):
        cut_off(checked, steps, PROMOTE)
        require_truth(checked)
    assert main([*where(checked), *PROMOTE]) == 0
    assert checked.layout().labels == {"stable": 2, "previous": 1}
    assert checked.traffic().canary is None
    assert answered(checked) == 2


def test_a_rollback_can_be_cut_off_anywhere(checked: Deployment) -> None:
    assert main([*where(checked), *PROMOTE]) == 0
    for steps in range(3):
        cut_off(checked, steps, ["rollback"])
        require_truth(checked)
    assert main([*where(checked), "rollback"]) == 0
    assert checked.layout().labels == {"stable": 1}
    assert answered(checked) == 1


def test_a_retirement_can_be_cut_off_anywhere(checked: Deployment, small_models: Path) -> None:
    models.publish(small_models / "half" / "3", checked.store.folder, 4)
    checked.apply(checked.layout().with_version(4))
    checked.server.wait_until_available(4, 30)
    for steps in range(4):
        cut_off(checked, steps, ["retire", "4", "--delete"])
        require_truth(checked)
    assert main([*where(checked), "retire", "4", "--delete"]) == 0
    assert checked.layout().versions == frozenset({1})
    assert not [path for path in checked.store.folder.iterdir() if "4" in path.name]


def test_a_publication_can_be_cut_off_anywhere(offline: Deployment, tmp_path: Path) -> None:
    candidate = shutil.copytree(offline.store.path(1), tmp_path / "candidate")
    (candidate / "note").write_text("so that it is another one")
    digest = digest_of(candidate)
    for steps in range(5):
        cut_off(offline, steps, ["publish", str(candidate)])
    assert main([*where(offline), "publish", str(candidate)]) == 0
    assert {path.name for path in offline.store.folder.iterdir()} == {"1", "2"}
    assert digest_of(offline.store.path(2)) == digest


def test_a_shadow_can_be_cut_off_anywhere(checked: Deployment) -> None:
    shadow = [*CANARY, "--percent", "0", "--shadow"]
    for steps in range(7):
        cut_off(checked, steps, shadow)
        require_truth(checked)
    assert main([*where(checked), *shadow]) == 0
    assert checked.traffic() == Traffic(2, 0.0, shadow=True)


def test_a_copy_that_was_cut_off_in_its_middle_is_made_anew(
    offline: Deployment, tmp_path: Path
) -> None:
    candidate = shutil.copytree(offline.store.path(1), tmp_path / "candidate")
    (candidate / "note").write_text("so that it is another one")
    digest = digest_of(candidate)
    half = offline.store.draft(candidate, digest)
    shutil.rmtree(half / "variables")
    (half / "saved_model.pb").write_bytes(b"")
    assert main([*where(offline), "publish", str(candidate)]) == 0
    assert digest_of(offline.store.path(2)) == digest
    assert {path.name for path in offline.store.folder.iterdir()} == {"1", "2"}


def test_what_a_kill_left_of_a_file_goes_with_the_next_command(offline: Deployment) -> None:
    folder = offline.config.file.parent
    for file in (offline.config.file, offline.traffic_file):
        file.with_name(f".{file.name}.4711.draft").write_text("half of i")
    with offline.exclusive("any command"):
        assert not list(folder.glob(".*"))
    assert offline.layout().stable == 1


def test_a_file_that_the_server_was_not_told_of_is_told_by_the_next_call(
    checked: Deployment,
) -> None:
    """The moment between the disk and the server, within a step."""
    checked.config.write(checked.layout().with_version(2))
    assert main([*where(checked), *CANARY]) == 0
    checked.config.write(checked.layout().with_labels(stable=2, canary=None, previous=1))
    assert main([*where(checked), *PROMOTE]) == 0
    assert answered(checked) == 2
