"""Two models of one site can be on trial simultaneously and do not affect each other."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from serving.rollout import commands
from serving.rollout.cli import main
from serving.rollout.errors import Refused
from serving.rollout.reconcile import reconcile
from serving.rollout.report.status import status
from serving.rollout.state.deployment import Deployment
from serving.rollout.steps import Step
from serving.traffic import NO_CANARY, Traffic
from tests.serving import models
from tests.serving.rollout.checked import believe
from tests.serving.rollout.conftest import FLAGS, do, where
from tests.support.servers import ModelServer, wait_until

ENTRY = """  config {{ name: "{1}" base_path: "{0}/{1}" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 }} }}
    version_labels {{ key: "stable" value: 1 }} }}
"""
LIMITS = commands.Limits()
TRIAL, OTHER_TRIAL = Traffic(2, 10.0), Traffic(3, 50.0, by="request")


@pytest.fixture(scope="module")
def server(small_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """A server of `half` and `plus`; of each, version 1 is stable, and 2 and 3 lie on disk."""
    folder = tmp_path_factory.mktemp("two")
    for model in ("half", "plus"):
        for version in (1, 2, 3):
            models.publish(small_models / "half" / str(version), folder / model, version)
    file = folder / "models.config"
    entries = "".join(ENTRY.format(folder, model) for model in ("half", "plus"))
    file.write_text(f"model_config_list {{\n{entries}}}\n")
    flags = [*FLAGS, f"--model_config_file={file}"]
    with ModelServer(folder, flags, wait_for=["half", "plus"]) as running:
        yield running


def deployment_of(server: ModelServer, model: str | None = None) -> Deployment:
    """One model's deployment, whose versions count as checked."""
    made = Deployment.at(server.config_file, model=model, server=server.grpc_url)
    for path in made.store.versions().values():
        believe(made, path)
    return made


@pytest.fixture
def half(server: ModelServer) -> Iterator[Deployment]:
    """The first model's; back to version 1 afterwards."""
    yield from restored(deployment_of(server))


@pytest.fixture
def plus(server: ModelServer) -> Iterator[Deployment]:
    """The other model's."""
    yield from restored(deployment_of(server, "plus"))


def restored(made: Deployment) -> Iterator[Deployment]:
    yield made
    made.write_split(NO_CANARY)
    made.apply(made.layout().with_labels(stable=1, canary=None, previous=None))
    made.apply(made.layout().without_version(2).without_version(3))
    for version in (2, 3):
        made.server.wait_until_gone(version, 30)
    made.server.close()


def try_both(half: Deployment, plus: Deployment) -> None:
    """Has a version of each model on trial."""
    do(half, commands.canary(half, "canary 2", TRIAL, LIMITS))
    do(plus, commands.canary(plus, "canary 3", OTHER_TRIAL, LIMITS))


def test_the_trials_of_two_models_stand_side_by_side(half: Deployment, plus: Deployment) -> None:
    try_both(half, plus)
    assert (half.traffic(), plus.traffic()) == (TRIAL, OTHER_TRIAL)
    assert half.layout().labels == {"stable": 1, "canary": 2}
    assert plus.layout().labels == {"stable": 1, "canary": 3}
    assert json.loads(half.traffic_file.read_text()).keys() == {"half", "plus"}


def test_the_end_of_one_trial_leaves_the_other(half: Deployment, plus: Deployment) -> None:
    try_both(half, plus)
    do(half, commands.promote(half, "promote 2", 2, LIMITS))
    assert (half.traffic(), plus.traffic()) == (NO_CANARY, OTHER_TRIAL)
    do(half, commands.rollback(half, "rollback"))
    assert (half.layout().stable, plus.layout().labels["canary"]) == (1, 3)
    do(plus, commands.rollback(plus, "rollback"))
    assert (half.traffic(), plus.traffic()) == (NO_CANARY, NO_CANARY)


def test_a_trial_that_fails_leaves_the_other(half: Deployment, plus: Deployment) -> None:
    do(plus, commands.canary(plus, "canary 3", OTHER_TRIAL, LIMITS))
    command = commands.canary(half, "canary 2", TRIAL, LIMITS)
    at = [step.name for step in command.steps].index("share of the clients")
    steps = [*command.steps[: at + 1], Step("fail", fail)]
    with pytest.raises(Refused, match="All is as it was before"):
        do(half, replace(command, steps=steps))
    assert (half.traffic(), plus.traffic()) == (NO_CANARY, OTHER_TRIAL)
    assert plus.layout().labels == {"stable": 1, "canary": 3}


def fail() -> str | None:
    raise Refused("for the test")


def test_a_file_of_before_is_the_first_models_and_stays_so(
    half: Deployment, plus: Deployment
) -> None:
    half.traffic_file.write_text('{"canary": 2, "percent": 10}')
    assert (half.traffic(), plus.traffic()) == (TRIAL, NO_CANARY)
    plus.write_split(OTHER_TRIAL)
    assert (half.traffic(), plus.traffic()) == (TRIAL, OTHER_TRIAL)


def test_status_is_of_the_first_model_and_names_the_other_in_one_line(
    half: Deployment, plus: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    do(plus, commands.canary(plus, "canary 3", OTHER_TRIAL, LIMITS))
    assert status(half, None, 0).notes == []
    assert main([*where(half), "status"]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "half"
    assert last == (
        "Also plus: canary is version 3, AVAILABLE; stable is version 1, AVAILABLE; "
        "the canary gets 50 % (--model plus)."
    )
    assert main([*where(half), "--model=plus", "status"]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "plus"
    assert last == "Also half: stable is version 1, AVAILABLE (--model half)."


def test_the_other_model_is_named_where_no_server_answers(half: Deployment) -> None:
    away = Deployment.at(half.config.file, server="grpc://127.0.0.1:1")
    assert status(away, None, 0).others == ["Also plus: stable is version 1, ? (--model plus)."]


def test_commands_go_to_the_model_that_is_named(
    half: Deployment, plus: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    do(plus, commands.promote(plus, "promote 2", 2, LIMITS))
    assert main([*where(plus), "--model=plus", "rollback"]) == 0
    assert "stable is 1 (was 2)" in capsys.readouterr().out
    assert main([*where(half), "--model=minus", "rollback"]) == 1
    assert "Expected --model to be one of ['half', 'plus']" in capsys.readouterr().err
    assert half.history.lines() != plus.history.lines()


def test_reconcile_brings_the_labels_of_the_other_model_too(
    half: Deployment, plus: Deployment
) -> None:
    do(plus, commands.promote(plus, "promote 2", 2, LIMITS))
    time.sleep(1.5)  # Until the server has read the file, which it does not do again.
    (server,) = half.server.members()
    older = half.config.message()
    (entry,) = [e for e in older.model_config_list.config if e.name == "plus"]
    entry.version_labels["stable"] = 1
    server.reload(older)
    assert "stable is version 2 in the file, 1 on the server" in status(half, None, 0).others[0]
    reconcile(half, "reconcile", print, every=0.1, seconds=10)
    assert server.version_of("stable", "plus") == 2


def test_a_server_that_is_behind_with_both_models_loads_for_both_first(
    half: Deployment, plus: Deployment
) -> None:
    for made in (half, plus):
        made.config.write(made.layout().with_version(2).with_labels(stable=2))
    (server,) = half.server.members()
    said = server.bring_to(half.config.message())
    assert said == "it loads version 2 and version 2 of plus first"
    for _ in wait_until("both to follow", time.monotonic() + 30):
        if server.bring_to(half.config.message()) is None:
            break
    assert [server.version_of("stable"), server.version_of("stable", "plus")] == [2, 2]
