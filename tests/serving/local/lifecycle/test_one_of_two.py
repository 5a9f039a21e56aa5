"""If one of two models fails, the other is served, and clients learn which model is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import requests
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from serving.wire import methods
from tests.serving import models
from tests.support.servers import ModelServer

ENTRY = """  config {{ name: "{1}" base_path: "{0}/{1}" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 }} }}
    version_labels {{ key: "stable" value: 1 }} }}
"""
FLAGS = (
    "--allow_version_labels_for_unavailable_models",
    "--enable_grpc_healthcheck_service",
    "--file_system_poll_wait_seconds=1",
)


def missing(_base: Path) -> None:
    """There is no folder at all."""


def empty(base: Path) -> None:
    """There is a folder, and no version in it."""
    base.mkdir()


def broken(base: Path) -> None:
    """The version's files are no SavedModel. It is tried again a minute later, and then again."""
    (base / "1").mkdir(parents=True)
    (base / "1" / "saved_model.pb").write_bytes(b"garbage")


@pytest.fixture(params=[missing, empty, broken], ids=lambda make: make.__name__)
def lacking(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """What the other model lacks."""
    made: Callable[[Path], None] = request.param
    return made


@pytest.fixture
def server(
    small_models: Path, tmp_path: Path, lacking: Callable[[Path], None]
) -> Iterator[ModelServer]:
    """A server of `count`, which has no version that loads, and of `half`, which comes after it."""
    models.publish(small_models / "half" / "1", tmp_path / "half", 1)
    lacking(tmp_path / "count")
    entries = "".join(ENTRY.format(tmp_path, name) for name in ("count", "half"))
    config = f"model_config_list {{\n{entries}}}\n"
    with ModelServer(tmp_path / "server", FLAGS, config, ["half"]) as running:
        running.wait_for_output("listening")
        yield running


def health(server: ModelServer, service: str) -> int:
    """What the standard health service says of a name."""
    with grpc.insecure_channel(server.grpc_address) as channel:
        call = channel.unary_unary(
            methods.HEALTH_CHECK,
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        status: int = call(HealthCheckRequest(service=service), timeout=10).status
    return status


def test_the_other_model_is_served_and_the_missing_one_named(
    server: ModelServer, lacking: Callable[[Path], None]
) -> None:
    asked = f"{server.rest_url}/v1/models/half/labels/stable:predict"
    assert requests.post(asked, '{"instances": [1]}', timeout=10).json() == {"predictions": [2.5]}
    server.wait_for_output("no version serves of: ['count']")
    reply = requests.get(f"{server.rest_url}/v1/models/count", timeout=10)
    if lacking is broken:
        assert server.states("count") == {1: "LOADING"}
    else:
        assert reply.status_code == 404
        assert "Could not find any versions of model count: " in reply.json()["error"]
        assert f"{server.folder.parent}/count" in reply.json()["error"]
    assert [health(server, name) for name in ("half", "count", "")] == [
        HealthCheckResponse.SERVING,
        HealthCheckResponse.NOT_SERVING,
        HealthCheckResponse.SERVING,
    ]
    with pytest.raises(grpc.RpcError, match="service name unknown: 'another'"):
        health(server, "another")


@pytest.mark.parametrize("lacking", [missing], indirect=True)
def test_a_model_that_comes_later_is_served_from_then_on(
    server: ModelServer, small_models: Path, tmp_path: Path
) -> None:
    models.publish(small_models / "half" / "2", tmp_path / "count", 1)
    server.wait_for_state("count", 1, "AVAILABLE")
    assert health(server, "count") == HealthCheckResponse.SERVING
