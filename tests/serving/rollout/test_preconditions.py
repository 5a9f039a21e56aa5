"""Commands that would leave a client without an answer are refused before anything changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from serving.rollout import commands
from serving.rollout.checks.preconditions import Losses
from serving.rollout.cli import main
from serving.rollout.errors import Refused
from serving.rollout.publish import publish
from serving.rollout.report.status import status
from serving.rollout.state.deployment import Deployment
from serving.traffic import Traffic
from tests.serving import models
from tests.serving.rollout.checked import believe
from tests.serving.rollout.conftest import do, where
from tests.support.servers import ModelServer

LIMITS = commands.Limits()
TRIAL = Traffic(2, 10.0)


def described(version: Path, classes: list[str], share: float, of: str = "held_out") -> Path:
    """A version with a card that names classes and an accuracy."""
    card: dict[str, Any] = {"classes": classes, "measures": {of: {"top_1": {"share": share}}}}
    card["measures"][of]["top_1"]["of"] = 1_000
    (version / "assets.extra").mkdir(exist_ok=True)
    (version / "assets.extra" / "model_card.json").write_text(json.dumps(card))
    return version


@pytest.fixture
def worse(offline: Deployment) -> Path:
    """Version 2 of a deployment whose stable version 1 knows more and is right more often."""
    described(offline.store.path(1), ["1", "2", "Other"], 0.99, "other_source")
    shutil.copytree(offline.store.path(1), offline.store.folder / "2")
    return described(offline.store.path(2), ["1", "Other", "lots"], 0.6)


@pytest.mark.parametrize("version", [1, 3])
def test_a_promotion_does_not_end_the_trial_of_another_version(
    checked: Deployment, version: int
) -> None:
    do(checked, commands.canary(checked, "canary", Traffic(2, 10.0), LIMITS))
    with pytest.raises(Refused, match=r"Version 2 is the canary\. Promote it or roll it back"):
        commands.promote(checked, "promote", version, LIMITS)


def test_the_only_version_that_is_loaded_is_not_retired(checked: Deployment) -> None:
    checked.apply(checked.layout().with_labels(stable=None))
    with pytest.raises(Refused, match="Version 1 is the only one that is loaded"):
        commands.retire(checked, "retire", 1, delete=False)


def test_a_rollback_to_a_version_that_does_not_serve_is_refused(
    checked: Deployment, server: ModelServer
) -> None:
    do(checked, commands.promote(checked, "promote", 2, LIMITS))
    before, folder = checked.layout(), checked.store.path(1)
    away = folder.rename(folder.with_name("away"))
    try:
        server.wait_for_state("half", 1, "END")
        with pytest.raises(Refused, match=r"Version 1, the one before, is END.*`promote 1` loads"):
            commands.rollback(checked, "rollback")
        assert checked.layout() == before
    finally:
        away.rename(folder)
        checked.server.wait_until_available(1, 30)
    do(checked, commands.rollback(checked, "rollback"))
    assert checked.layout().stable == 1


def test_a_rollback_trusts_a_server_that_cannot_be_asked(checked: Deployment) -> None:
    do(checked, commands.promote(checked, "promote", 2, LIMITS))
    away = Deployment.at(checked.config.file, server="grpc://127.0.0.1:1")
    with pytest.raises(Refused, match=r"labels: .*What was done stays"):
        do(away, commands.rollback(away, "rollback"))
    assert checked.layout().labels == {"stable": 1}


def test_a_version_whose_folder_is_gone_is_taken_out_of_the_file(checked: Deployment) -> None:
    lost = models.publish(checked.store.path(2), checked.store.folder, 5)
    believe(checked, lost)
    do(checked, commands.canary(checked, "canary", Traffic(5, 10.0), LIMITS))
    shutil.rmtree(lost)
    do(checked, commands.rollback(checked, "rollback"))
    gone = "The folder of version 5 is gone; `retire 5` takes it out of the file."
    assert gone in status(checked, None, 0).notes
    do(checked, commands.retire(checked, "retire", 5, delete=False))
    assert checked.layout().versions == {1}
    assert status(checked, None, 0).notes == []
    with pytest.raises(Refused, match="No version 5"):
        commands.retire(checked, "retire", 5, delete=False)


@pytest.mark.parametrize("command", ["publish", "canary", "promote"])
def test_a_version_that_loses_a_class_of_stables_is_refused_unless_that_is_wished(
    offline: Deployment, worse: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    what = str(worse) if command == "publish" else "2"
    assert main([*where(offline), command, what, "--max-accuracy-loss=100"]) == 1
    said = capsys.readouterr().err
    assert "does not know 2, which stable, version 1, knows. --classes-changed" in said
    offline.server.close()
    losses = Losses(classes=True, accuracy=1.0)
    assert publish(offline, "publish", worse, losses=losses).steps
    assert commands.canary(offline, "canary", TRIAL, commands.Limits(losses=losses)).steps


def test_an_accuracy_far_below_stables_is_refused(offline: Deployment, worse: Path) -> None:
    described(worse, ["1", "2", "Other"], 0.6)
    words = (
        r"right about 60\.0% of 1,000 held-out photos, and stable, version 1, about 99\.0% of"
        r" 1,000 photos of another source: more than 20 points less"
    )
    with pytest.raises(Refused, match=words):
        publish(offline, "publish", worse)
    with pytest.raises(Refused, match=words):
        commands.promote(offline, "promote", 2, LIMITS)
    described(worse, ["1", "2", "Other"], 0.85)
    assert publish(offline, "publish", worse).steps


def test_a_taught_version_judged_by_hard_views_is_not_compared_with_one_judged_by_photos(
    offline: Deployment, worse: Path
) -> None:
    described(worse, ["1", "2", "Other"], 0.6)
    file = worse / "assets.extra" / "model_card.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"taught": {"version": "1"}}))
    assert publish(offline, "publish", worse).steps


def test_a_canary_that_was_let_pass_is_promoted_without_insisting_again(
    offline: Deployment, worse: Path
) -> None:
    with pytest.raises(Refused, match="does not know 2"):
        commands.promote(offline, "promote", 2, LIMITS)
    layout = offline.layout().with_version(2)
    offline.config.write(layout.with_labels(canary=2))
    assert commands.promote(offline, "promote", 2, LIMITS).steps


def test_a_card_that_names_no_classes_and_no_accuracy_is_not_compared(
    offline: Deployment, worse: Path
) -> None:
    for text in ("{}", "no JSON", '{"classes": 7, "measures": []}'):
        (worse / "assets.extra" / "model_card.json").write_text(text)
        assert publish(offline, "publish", worse).steps
