"""A version of a counter is checked, tried and reported as a counter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.rollout import commands
from serving.rollout.checks.check import check
from serving.rollout.checks.golden_set import NO_GOLDEN
from serving.rollout.cli import main
from serving.rollout.errors import Refused
from serving.rollout.publish import publish
from serving.rollout.report.status import status
from serving.rollout.state.deployment import Deployment
from serving.traffic import NO_CANARY, Traffic
from tests.serving import models
from tests.serving.rollout.conftest import FLAGS, do, where
from tests.support.servers import ModelServer

CONFIG = """model_config_list {{
  config {{ name: "half" base_path: "{0}/half" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 }} }}
    version_labels {{ key: "stable" value: 1 }} }}
  config {{ name: "count" base_path: "{0}/count" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 }} }}
    version_labels {{ key: "stable" value: 1 }} }}
}}
"""
LIMITS = commands.Limits()
SUMS = {
    "2 to 5": {"exact sum": {"count": 8, "of": 10}},
    "one": {"exact sum": {"count": 9, "of": 10}},
}


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version of a counter that keeps the contract."""
    card = {"measures": {"held_out_scenes": SUMS}}
    return models.save_counter(tmp_path_factory.mktemp("counter") / "1", card)


@pytest.fixture(scope="module")
def server(
    small_models: Path, counter: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModelServer]:
    """A server of a classifier of numbers and of a counter, version 1 of each."""
    folder = tmp_path_factory.mktemp("both")
    models.publish(small_models / "half" / "1", folder / "half", 1)
    models.publish(counter, folder / "count", 1)
    (folder / "golden" / "20").mkdir(parents=True)
    (folder / "golden" / "20" / "photo.jpg").write_bytes(b"not opened by any version here")
    file = folder / "models.config"
    file.write_text(CONFIG.format(folder))
    flags = [*FLAGS, f"--model_config_file={file}"]
    with ModelServer(folder, flags, wait_for=["half", "count"]) as running:
        yield running


def test_a_version_goes_from_a_folder_to_stable_and_back(
    server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Deployment.at(server.config_file, model="count", server=server.grpc_url)
    command = [*where(made), "--model=count"]
    candidate = models.save_counter(tmp_path / "candidate", {"note": "another one"})

    def said(*words: str) -> str:
        assert main([*command, *words]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    published = said("publish", str(candidate))
    assert f"MB of memory, {NO_GOLDEN}" in published
    assert "next version: 2" in published
    tried = said("canary", "2", "--percent", "25")
    assert f"try it on the server: {NO_GOLDEN}, " in tried
    assert "version 2 answers 25 % by client" in tried
    assert server.states("count") == {1: "AVAILABLE", 2: "AVAILABLE"}
    assert "stable is 2 (was 1)" in said("promote", "2")
    assert "stable is 1 (was 2)" in said("rollback")
    assert "unloaded" in said("retire", "2", "--delete")
    assert made.traffic() == NO_CANARY
    assert status(made, None, 0).notes == []
    made.server.close()


def test_status_tells_how_many_sums_were_right(server: ModelServer) -> None:
    made = Deployment.at(server.config_file, model="count", server=server.grpc_url)
    accuracy = {row.version: row.accuracy for row in status(made, None, 0).rows}
    assert accuracy[1] == pytest.approx(17 / 20)
    made.server.close()


def test_copies_of_requests_are_no_trial_of_a_counter(server: ModelServer) -> None:
    made = Deployment.at(server.config_file, model="count", server=server.grpc_url)
    models.publish(made.store.path(1), made.store.folder, 7)
    wanted = Traffic(7, 10.0, shadow=True)
    with pytest.raises(Refused, match=r"Version 7 of count is a counter.*again without --shadow"):
        commands.canary(made, "canary 7 --shadow", wanted, LIMITS)
    made.store.delete(7)
    made.server.close()


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"places": 8}, r"output boxes should be DT_FLOAT \[2, 16, 4, 2\].*\[2, 8, 4, 2\]"),
        (
            {"largest": 64},
            r"does not guard itself: serving_default .* of shape \[17, 448, 448, 3\]",
        ),
    ],
    ids=["fewer places", "too large a batch"],
)
def test_a_counter_that_breaks_the_contract_is_refused(
    tmp_path: Path, made: dict[str, Any], words: str
) -> None:
    version = models.save_counter(tmp_path / "1", None, **made)
    with pytest.raises(Refused, match=words):
        check(version, None, None)


def test_a_version_that_only_says_that_it_is_a_counter_is_refused(
    small_models: Path, tmp_path: Path
) -> None:
    version = models.publish(small_models / "half" / "1", tmp_path, 1)
    card = version / "assets.extra" / "model_card.json"
    card.parent.mkdir()
    card.write_text(json.dumps({"kind": "counter"}))
    with pytest.raises(Refused, match=r"serving_default should take image\. It takes: x"):
        check(version, None, None)


def test_a_counter_takes_the_place_of_no_classifier(offline: Deployment, counter: Path) -> None:
    with pytest.raises(Refused, match="The signature serving_default differs"):
        do(offline, publish(offline, "publish", counter))
