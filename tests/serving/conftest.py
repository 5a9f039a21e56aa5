"""Small models, and a server that serves them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from serving.client import Client, connect
from tests.serving import models
from tests.serving.exchanges import recorded_models as recorded_models_module
from tests.serving.exchanges.recorded import ORIGINALS
from tests.serving.exchanges.stages import Stages
from tests.support.servers import ModelServer

CONFIG = """model_config_list {{
  config {{ name: "half" base_path: "{0}/half" model_platform: "tensorflow"
    model_version_policy {{ all {{}} }}
    version_labels {{ key: "stable" value: 1 }} }}
  config {{ name: "strings" base_path: "{0}/strings" model_platform: "tensorflow" }}
  config {{ name: "slow" base_path: "{0}/slow" model_platform: "tensorflow" }}
}}
"""
LABELS = "--allow_version_labels_for_unavailable_models=true"


@pytest.fixture(scope="session")
def small_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `half` (versions 1 to 3 add 2, 3 and 4), `strings` and `slow`."""
    root = tmp_path_factory.mktemp("small_models")
    for version in (1, 2, 3):
        models.save(models.HalfPlus(version + 1.0), root / "half" / str(version))
    models.save(models.Strings(), root / "strings" / "1")
    models.save(models.Slow(), root / "slow" / "1")
    return root


@pytest.fixture(scope="session")
def small_server(
    small_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModelServer]:
    """A server that serves all of `small_models`."""
    folder = tmp_path_factory.mktemp("small_server")
    config = CONFIG.format(small_models)
    names = ["half", "strings", "slow"]
    flags = [LABELS, "--grpc_max_threads=64"]
    with ModelServer(folder, flags, config, wait_for=names) as server:
        yield server


@pytest.fixture
def still_serves(small_server: ModelServer) -> Iterator[None]:
    """Asserts after the test that a plain request is still answered."""
    yield
    reply = requests.post(
        f"{small_server.rest_url}/v1/models/half:predict", '{"instances": [1]}', timeout=10
    )
    assert reply.json() == {"predictions": [4.5]}


@pytest.fixture(params=["grpc_url", "rest_url"], ids=["gRPC", "REST"])
def client(request: pytest.FixtureRequest, small_server: ModelServer) -> Iterator[Client]:
    """A client of `small_server`, once for each protocol."""
    made = connect(getattr(small_server, request.param))
    yield made
    made.close()


@pytest.fixture(scope="session")
def recorded_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of the recorded cases; `hp2` only if the original recordings exist."""
    root = recorded_models_module.build(tmp_path_factory.mktemp("recorded_models"))
    original = ORIGINALS / "models" / "hp2"
    if original.exists():
        (root / "hp2").symlink_to(original)
    return root


@pytest.fixture
def stages(recorded_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """Servers for one test."""
    made = Stages(recorded_models, tmp_path_factory)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared_stages(
    recorded_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stages]:
    """Servers for all tests of a module."""
    made = Stages(recorded_models, tmp_path_factory)
    yield made
    made.close()
