"""What is refused before anything changes, since somebody would be left without an answer."""

from __future__ import annotations

import shutil

import pytest

from serving.rollout import commands
from serving.rollout.errors import Refused
from serving.rollout.report.status import status
from serving.rollout.state.deployment import Deployment
from serving.traffic import Traffic
from tests.serving import models
from tests.serving.rollout.checked import believe
from tests.serving.rollout.conftest import do
from tests.support.servers import ModelServer

LIMITS = commands.Limits()


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
