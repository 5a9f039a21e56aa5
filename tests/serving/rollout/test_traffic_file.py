"""An unreadable traffic file does not stop the commands that an operator needs then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serving.rollout import commands
from serving.rollout.analysis.limits import CanaryLimits
from serving.rollout.cli import main
from serving.rollout.errors import Refused
from serving.rollout.remote.front_ends import FrontEnds
from serving.rollout.report.status import status
from serving.rollout.state.deployment import Deployment
from serving.rollout.steps import Step
from serving.rollout.watch import watch
from serving.traffic import NO_CANARY, Traffic
from tests.serving.rollout.conftest import do, where

LIMITS = commands.Limits()
TRIAL = Traffic(2, 10.0)
DAMAGED = [b'{"canary": 2, "perc', b"\xff\xfe", b'{"canary": "two"}']


@pytest.fixture(params=DAMAGED, ids=["cut", "no text", "no version"])
def damaged(checked: Deployment, request: pytest.FixtureRequest) -> Deployment:
    """Version 2 on trial, and then somebody edited the file."""
    do(checked, commands.canary(checked, "canary", TRIAL, LIMITS))
    checked.traffic_file.write_bytes(request.param)
    return checked


def test_a_rollback_writes_it_anew(damaged: Deployment) -> None:
    do(damaged, commands.rollback(damaged, "rollback"))
    assert (damaged.traffic(), damaged.layout().labels) == (NO_CANARY, {"stable": 1})


def test_a_canary_writes_it_anew(damaged: Deployment) -> None:
    do(damaged, commands.canary(damaged, "canary", TRIAL, LIMITS))
    assert damaged.traffic() == TRIAL


def test_a_promotion_that_fails_before_it_writes_the_file_leaves_it(damaged: Deployment) -> None:
    before = damaged.traffic_file.read_bytes()
    command = replace(commands.promote(damaged, "promote", 2, LIMITS), steps=[Step("fail", fail)])
    with pytest.raises(Refused, match="All is as it was before"):
        do(damaged, command)
    assert damaged.traffic_file.read_bytes() == before


def test_a_promotion_that_fails_after_it_wrote_the_file_goes_back_to_no_trial(
    damaged: Deployment,
) -> None:
    command = commands.promote(damaged, "promote", 2, LIMITS)
    with pytest.raises(Refused, match="All is as it was before"):
        do(damaged, replace(command, steps=[*command.steps, Step("fail", fail)]))
    assert damaged.traffic() == NO_CANARY


def fail() -> str | None:
    raise Refused("for the test")


def test_status_says_so_and_tells_the_rest(
    damaged: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    found = status(damaged, None, 0)
    assert [row.percent for row in found.rows if row.state == "AVAILABLE"] == [None, None]
    assert "traffic.json cannot be understood: " in found.notes[0]
    assert main([*where(damaged), "status"]) == 0
    assert "AVAILABLE canary ?" in " ".join(capsys.readouterr().out.split())


def test_what_needs_to_know_it_says_how_to_have_it_again(damaged: Deployment) -> None:
    for command in (
        lambda: commands.retire(damaged, "retire", 3, delete=False),
        lambda: watch(
            damaged, FrontEnds("http://127.0.0.1:1"), CanaryLimits(), print, every=1, seconds=1
        ),
    ):
        with pytest.raises(Refused, match="Any canary or rollback writes it anew"):
            command()
