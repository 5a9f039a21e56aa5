"""The local server starts, waits and refuses to start as a real TensorFlow Serving did."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import requests

from tests.serving.exchanges.comparing import lost_names
from tests.serving.exchanges.recorded import KNOWN_DIFFERENCES, Case, Stage, cases
from tests.serving.exchanges.stages import Stages, cut_version
from tests.serving.models import publish
from tests.support.servers import HOST, ModelServer

WAITING = ("No versions of servable", "cannot be read", "cannot be loaded")
"""What the log says of a server that opens no port yet."""

CASES = cases(lambda case: "log_tail" in case.record or "came_up" in case.record)
NAMES = {"half", "corr", "mix", "max_batch_size", "num_batch_threads", "batching_parameters_file"}
"""What a refused start is about: a model, a value or a flag."""
LISTED = {
    "781_batch_params_zero_max": "max_batch_size must be at least 1; was 0",
    "785_batch_params_negative_timeout": "batch_timeout_micros must be at least 0; was -5",
}
ONE_OF_TWO = ("809_start_one_of_two_corrupt", "810_start_one_of_two_missing")
CHECKS = {
    "805": ["GET /v1/models/default"],
    "822": ["POST /v1/models/half/labels/stable:predict", "POST /v1/models/half/labels/x:predict"],
}


@pytest.fixture
def stage(case: Case, stages: Stages) -> Stage:
    made = stages.prepare(case)
    cut_version(stages.models / "half" / "1", made.folder / "corr" / "1")
    publish(stages.models / "half" / "1", made.folder / "mix", 1)
    cut_version(stages.models / "half" / "1", made.folder / "mix" / "2")
    (made.folder / "empty").mkdir()
    return made


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.name not in KNOWN_DIFFERENCES], ids=lambda case: case.name
)
def test_a_start_goes_as_recorded(case: Case, stage: Stage) -> None:
    process = stage.server.launch()
    if case.record.get("exit_status") is not None:
        assert process.wait(60) == case.record["exit_status"]
        assert not lost_names(stage.server.output(), _reason(case), NAMES)
        return
    opens = case.record.get("grpc_port_open", case.record.get("came_up"))
    stage.server.wait_for_any_output(("listening",) if opens else WAITING, seconds=60)
    assert _is_open(stage.server.grpc_port) == opens
    assert _is_open(stage.server.rest_port) == case.record.get("rest_port_open", opens)
    for number, expected in enumerate(_checks(case)):
        assert _ask(case, stage.server, number) == (
            expected["status"],
            json.loads(expected["body"]),
        )
    assert stage.server.stop() == 0


@pytest.mark.parametrize("case", [c for c in CASES if c.name in LISTED], ids=lambda c: c.name)
def test_what_kills_the_original_is_refused_by_name(case: Case, stage: Stage) -> None:
    assert case.record["exit_status"] == -11
    assert stage.server.launch().wait(60) == 255
    assert LISTED[case.name] in stage.server.output()


@pytest.mark.parametrize("case", [c for c in CASES if c.name in ONE_OF_TWO], ids=lambda c: c.name)
def test_one_model_that_cannot_be_loaded_does_not_keep_the_other_from_being_served(
    case: Case, stage: Stage
) -> None:
    assert not case.record["rest_port_open"]
    stage.server.launch()
    stage.server.wait_for_output("no version serves of: ['bad']", seconds=60)
    stage.server.wait_for_output("listening", seconds=60)
    assert "AVAILABLE" in stage.server.states("half").values()


def _reason(case: Case) -> str:
    """The recorded reason of a refusal; a wrong flag got the list of all flags instead."""
    last = (case.record.get("log_tail") or [""])[0]
    return last.partition("Error: ")[2] if "Error: " in last else ""


def _checks(case: Case) -> list[dict[str, Any]]:
    check = case.record.get("check", [])
    return check if isinstance(check, list) else [check]


def _ask(case: Case, server: ModelServer, number: int) -> tuple[int, Any]:
    method, path = CHECKS.get(case.name[:3], ["GET /v1/models/half"])[number].split()
    body = '{"instances": [1]}' if method == "POST" else None
    reply = requests.request(method, server.rest_url + path, data=body, timeout=30)
    return reply.status_code, reply.json()


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
