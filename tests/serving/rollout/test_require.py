"""What is refused before anything changes, since somebody would be left without an answer."""

from __future__ import annotations

import pytest

from serving.rollout import moves
from serving.rollout.errors import Refused
from serving.rollout.site import Site
from serving.traffic import Traffic
from tests.serving.rollout.conftest import do
from tests.support.servers import ModelServer

LIMITS = moves.Limits()


@pytest.mark.parametrize("version", [1, 3])
def test_a_promotion_does_not_end_the_trial_of_another_version(checked: Site, version: int) -> None:
    do(checked, moves.canary(checked, "canary", Traffic(2, 10.0), LIMITS))
    with pytest.raises(Refused, match=r"Version 2 is the canary\. Promote it or roll it back"):
        moves.promote(checked, "promote", version, LIMITS)


def test_the_only_version_that_is_loaded_is_not_retired(checked: Site) -> None:
    checked.apply(checked.layout().with_labels(stable=None))
    with pytest.raises(Refused, match="Version 1 is the only one that is loaded"):
        moves.retire(checked, "retire", 1, delete=False)


def test_a_rollback_to_a_version_that_does_not_serve_is_refused(
    checked: Site, server: ModelServer
) -> None:
    do(checked, moves.promote(checked, "promote", 2, LIMITS))
    before, folder = checked.layout(), checked.store.path(1)
    away = folder.rename(folder.with_name("away"))
    try:
        server.wait_for_state("half", 1, "END")
        with pytest.raises(Refused, match=r"Version 1, the one before, is END.*`promote 1` loads"):
            moves.rollback(checked, "rollback")
        assert checked.layout() == before
    finally:
        away.rename(folder)
        checked.server.wait_until_available(1, 30)
    do(checked, moves.rollback(checked, "rollback"))
    assert checked.layout().stable == 1


def test_a_rollback_trusts_a_server_that_cannot_be_asked(checked: Site) -> None:
    do(checked, moves.promote(checked, "promote", 2, LIMITS))
    away = Site.at(checked.config.file, server="grpc://127.0.0.1:1")
    with pytest.raises(Refused, match=r"labels: .*What was done stays"):
        do(away, moves.rollback(away, "rollback"))
    assert checked.layout().labels == {"stable": 1}
