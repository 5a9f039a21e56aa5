"""Rollout commands change what a real server serves."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from serving.client import ServingError, connect
from serving.rollout import commands
from serving.rollout.cli import main
from serving.rollout.errors import Refused
from serving.rollout.report.status import Row, status
from serving.rollout.state import deployment as deployment_module
from serving.rollout.state.deployment import Deployment
from serving.rollout.steps import Step
from serving.traffic import NO_CANARY, Traffic
from tests.serving import models
from tests.serving.rollout.checked import believe
from tests.serving.rollout.conftest import do, where
from tests.support.servers import ROOT, ModelServer

LIMITS = commands.Limits()
TRIAL = Traffic(2, 10.0)


def test_a_command_ends_itself_by_sigterm(offline: Deployment) -> None:
    # As process 1 of a container it would go on, if that were left to the system.
    command = [sys.executable, "-m", "serving", "rollout", *where(offline), "reconcile"]
    flags = ["--seconds=0", "--every=0.2"]
    with subprocess.Popen([*command, *flags], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM


def answers(deployment: Deployment, label: str) -> float:
    client = connect(deployment.server.url)
    try:
        inputs = {"x": np.array([0], np.float32)}
        return float(client.predict("half", inputs, label=label).outputs["y"][0])
    finally:
        client.close()


def serving(deployment: Deployment) -> list[Row]:
    """What `status` tells of the versions that serve; it must have nothing to add."""
    found = status(deployment, None, 0)
    assert found.notes == []
    return [row for row in found.rows if row.state == "AVAILABLE"]


def test_a_version_goes_all_the_way_and_back(checked: Deployment) -> None:
    do(checked, commands.canary(checked, "canary", TRIAL, LIMITS))
    assert (answers(checked, "stable"), answers(checked, "canary")) == (2.0, 3.0)
    do(checked, commands.promote(checked, "promote", 2, LIMITS))
    assert (answers(checked, "stable"), answers(checked, "previous")) == (3.0, 2.0)
    do(checked, commands.rollback(checked, "rollback"))
    assert answers(checked, "stable") == 2.0
    do(checked, commands.promote(checked, "promote", 2, LIMITS))
    do(checked, commands.retire(checked, "retire", 1, delete=False))
    assert answers(checked, "stable") == 3.0
    assert checked.layout().versions == {2}
    assert checked.store.path(1).is_dir()
    do(checked, commands.promote(checked, "promote", 1, LIMITS))
    assert answers(checked, "stable") == 2.0


def test_a_rollback_that_is_repeated_changes_nothing_more(checked: Deployment) -> None:
    do(checked, commands.promote(checked, "promote", 2, LIMITS))
    do(checked, commands.canary(checked, "canary", Traffic(3, 10.0), LIMITS))
    for _ in range(3):
        do(checked, commands.rollback(checked, "rollback"))
        assert checked.traffic() == NO_CANARY
        assert checked.layout().labels == {"stable": 2}


def test_a_rollback_waits_for_no_package_that_it_does_without(checked: Deployment) -> None:
    do(checked, commands.promote(checked, "promote", 2, LIMITS))
    script = (
        "import sys; from serving.rollout.cli import main; main(sys.argv[1:]);"
        "print([name for name in ('numpy', 'requests', 'tensorflow') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, *where(checked), "rollback"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "stable is 1 (was 2)" in said
    assert said.splitlines()[-1] == "[]"


def test_the_share_of_a_canary_can_be_raised(checked: Deployment) -> None:
    do(checked, commands.canary(checked, "canary", TRIAL, LIMITS))
    do(checked, commands.canary(checked, "canary", Traffic(2, 50.0, shadow=True), LIMITS))
    assert checked.traffic() == Traffic(2, 50.0, shadow=True)


def test_what_cannot_be_done_is_refused_before_anything_changes(checked: Deployment) -> None:
    with pytest.raises(Refused, match="Version 1 is stable already"):
        commands.canary(checked, "canary", Traffic(1, 10.0), LIMITS)
    with pytest.raises(Refused, match=r"Version 1 is stable\. Promote another one"):
        commands.retire(checked, "retire", 1, delete=True)
    with pytest.raises(Refused, match="No version 7"):
        do(checked, commands.canary(checked, "canary", Traffic(7, 10.0), LIMITS))
    do(checked, commands.canary(checked, "canary", TRIAL, LIMITS))
    with pytest.raises(Refused, match=r"Version 2 is the canary\. Promote it or roll it back"):
        commands.canary(checked, "canary", Traffic(3, 10.0), LIMITS)
    with pytest.raises(Refused, match="Version 2 is canary"):
        commands.retire(checked, "retire", 2, delete=False)


def test_a_version_that_the_server_cannot_load_leaves_all_as_it_was(checked: Deployment) -> None:
    broken = checked.store.folder / "8"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"garbage")
    believe(checked, broken)
    before = checked.layout()
    try:
        with pytest.raises(Refused, match=r"load: The server cannot load it.*as it was before"):
            do(checked, commands.canary(checked, "canary", Traffic(8, 10.0), LIMITS))
        assert (checked.layout(), checked.traffic()) == (before, NO_CANARY)
        assert checked.history.lines()[-1]["event"] == "failed"
        assert answers(checked, "stable") == 2.0
    finally:
        shutil.rmtree(broken)


class Slow(models.HalfPlus):
    """Takes long for the same answer."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])  # type: ignore[untyped-decorator]
    def call(self, x: Any) -> dict[str, Any]:
        matrix = tf.random.uniform([400, 400])
        for _ in tf.range(10):
            matrix = tf.matmul(matrix, matrix) / 1e3
        return {"y": self.half * x + self.offset + 0.0 * tf.linalg.trace(matrix)}


def test_a_version_that_is_too_slow_gets_no_requests(checked: Deployment, tmp_path: Path) -> None:
    slow = models.publish(models.save(Slow(1.0), tmp_path / "1"), checked.store.folder, 9)
    believe(checked, slow)
    before = checked.layout()
    try:
        with pytest.raises(Refused, match="try it on the server: It is too slow: "):
            do(checked, commands.canary(checked, "canary", Traffic(9, 10.0), LIMITS))
        assert (checked.layout(), checked.traffic()) == (before, NO_CANARY)
        checked.server.wait_until_gone(9, 30)
    finally:
        shutil.rmtree(slow)


def test_a_version_that_was_slow_for_a_moment_is_asked_again(
    checked: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server,) = checked.server.members()
    ask, asked = server.predict, []

    def hiccup(version: int, *arguments: Any) -> Any:
        asked.append(version)
        if version == 2 and asked.count(2) <= 15:
            time.sleep(0.05)
        return ask(version, *arguments)

    monkeypatch.setattr(server, "predict", hiccup)
    do(checked, commands.canary(checked, "canary", TRIAL, LIMITS))
    assert checked.traffic() == TRIAL
    assert asked.count(2) == asked.count(1) > 15


def test_a_version_that_memory_would_not_hold_is_refused_but_for_force(checked: Deployment) -> None:
    believe(checked, checked.store.path(2), 10**15)
    with pytest.raises(Refused, match="room in memory: Another version needs about 1,000,000,000"):
        do(checked, commands.canary(checked, "canary", TRIAL, LIMITS))
    said = do(checked, commands.canary(checked, "canary", TRIAL, commands.Limits(force=True)))
    assert "not compared with what is free (--force)" in said[1]
    assert checked.traffic() == TRIAL


def test_a_server_that_is_killed_comes_back_in_the_state_that_is_told(
    checked: Deployment, server: ModelServer
) -> None:
    do(checked, commands.promote(checked, "promote", 2, LIMITS))
    do(checked, commands.canary(checked, "canary", Traffic(3, 10.0), LIMITS))
    told = serving(checked)
    server.kill()
    with pytest.raises(ServingError):
        checked.server.states()
    server.start()
    for row in told:
        checked.server.wait_until_available(row.version, 30)
    assert serving(checked) == told
    assert [row.version for row in told] == [3, 2, 1]
    assert (answers(checked, "stable"), answers(checked, "canary")) == (3.0, 4.0)


@pytest.mark.parametrize("before", ["load", "labels"])
def test_a_server_that_is_killed_during_a_command_comes_back_in_the_state_that_is_told(
    checked: Deployment, server: ModelServer, before: str
) -> None:
    command = commands.canary(checked, "canary", TRIAL, LIMITS)
    at = [step.name for step in command.steps].index(before)
    steps = [*command.steps[:at], Step("crash", server.kill), *command.steps[at:]]
    with pytest.raises(Refused, match=f"^{before}: "):
        do(checked, replace(command, steps=steps))
    server.start()
    for version in checked.layout().versions:
        checked.server.wait_until_available(version, 30)
    told = status(checked, None, 0)
    assert not [note for note in told.notes if "on the server" in note]
    assert checked.traffic() == NO_CANARY
    assert answers(checked, "stable") == 2.0
    do(checked, commands.canary(checked, "canary", TRIAL, LIMITS))
    assert (answers(checked, "stable"), answers(checked, "canary")) == (2.0, 3.0)


def test_a_rollback_without_a_server_is_there_when_it_comes(checked: Deployment) -> None:
    do(checked, commands.promote(checked, "promote", 2, LIMITS))
    away = Deployment.at(checked.config.file, server="grpc://127.0.0.1:1")
    with pytest.raises(Refused, match="What was done stays"):
        do(away, commands.rollback(away, "rollback"))
    assert checked.layout().labels == {"stable": 1}


def test_the_command_line_says_why_it_refuses(
    checked: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment_module, "LOCK_SECONDS", 0.2)
    assert main([*where(checked), "retire", "1"]) == 1
    assert "Version 1 is stable." in capsys.readouterr().err
    assert main(["--config=none", "status"]) == 1
    assert "The configuration cannot be read: none" in capsys.readouterr().err
    with checked.exclusive("promote 3"):
        assert main([*where(checked), "rollback"]) == 1
    assert "Another rollout is under way: `promote 3` by" in capsys.readouterr().err


def test_status_tells_the_accuracy_that_a_versions_card_does_and_on_which_photos(
    offline: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    card = offline.store.path(1) / "assets.extra" / "model_card.json"
    card.parent.mkdir()
    assert [row.accuracy for row in status(offline, None, 0).rows] == [None]
    measured = {"held_out": {"top_1": {"share": 0.75, "of": 8}}}
    card.write_text(json.dumps({"measures": measured}))
    assert [row.accuracy for row in status(offline, None, 0).rows] == [0.75]
    measured["other_source"] = {"top_1": {"share": 0.9876, "of": 1_200}}
    card.write_text(json.dumps({"measures": measured}))
    assert main([*where(offline), "status"]) == 0
    told = capsys.readouterr().out
    assert "98.8%" in told
    assert "Accuracy: of 1 on 1,200 photos of another source." in told


def test_status_tells_the_same_to_people_and_machines(
    checked: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    do(checked, commands.canary(checked, "canary", Traffic(2, 10.0, shadow=True), LIMITS))
    found = status(checked, None, 0)
    assert [row.version for row in found.rows] == [3, 2, 1]
    assert [row.percent for row in found.rows] == [0.0, 10.0, 90.0]
    assert [row.state == "AVAILABLE" for row in found.rows] == [False, True, True]
    assert main([*where(checked), "status", "--json"]) == 0
    assert '"percent": 90.0' in capsys.readouterr().out
    assert main([*where(checked), "status"]) == 0
    table = capsys.readouterr().out
    assert "AVAILABLE canary 10 % + shadow" in " ".join(table.split())
    assert "Version 2 is given 10 % by client; callers without a cookie from one address" in table
    checked.write_split(Traffic(2, 10.0, by="request"))
    assert status(checked, None, 0).sharing == "Version 2 is given 10 % by request."


@pytest.mark.parametrize("number", [99, 2**63 - 1])
def test_a_version_that_never_was_is_not_deleted_and_keeps_its_number(
    checked: Deployment, number: int
) -> None:
    with pytest.raises(Refused, match=f"No version {number} in"):
        commands.retire(checked, "retire", number, delete=True)
    assert number not in checked.history.versions()


def test_a_retirement_without_a_label_says_what_it_takes_out(checked: Deployment) -> None:
    checked.apply(checked.layout().with_version(2))
    checked.server.wait_until_available(2, 30)
    said = do(checked, commands.retire(checked, "retire", 2, delete=False))
    assert said[0] == "  no longer asked for: no version 2"


def test_a_label_of_the_operators_own_spares_a_version_no_trial(checked: Deployment) -> None:
    layout = checked.layout().with_version(2)
    checked.apply(layout)
    checked.server.wait_until_available(2, 30)
    checked.apply(layout.with_labels(beta=2))
    said = do(checked, commands.canary(checked, "canary", TRIAL, LIMITS))
    checked.apply(checked.layout().with_labels(beta=None))
    assert any(line.startswith("  try it on the server: ") and "ms" in line for line in said)


def test_version_0_is_a_version(checked: Deployment) -> None:
    zero = models.publish(checked.store.path(2), checked.store.folder, 0)
    believe(checked, zero)
    try:
        do(checked, commands.canary(checked, "canary", Traffic(0, 10.0), LIMITS))
        assert answers(checked, "canary") == 3.0
        do(checked, commands.rollback(checked, "rollback"))
    finally:
        do(checked, commands.retire(checked, "retire", 0, delete=True))


def test_what_a_watch_was_doing_is_not_told_as_a_call(offline: Deployment) -> None:
    offline.history.note("watch: rollback of 2, failed 6 of 6", "began")
    note = "`watch: rollback of 2, failed 6 of 6` is under way, or was cut off."
    assert note in status(offline, None, 0).notes
