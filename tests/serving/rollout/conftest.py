"""A separate deployment for each test: files, and one real server that all tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.rollout.state.deployment import Deployment
from serving.rollout.steps import Command, run
from serving.traffic import NO_CANARY
from tests.serving import models
from tests.serving.rollout.checked import believe
from tests.support.servers import ModelServer

CONFIG = """# A comment that stays.
model_config_list {{
  config {{ name: "half" base_path: "{0}/half" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 }} }}
    version_labels {{ key: "stable" value: 1 }} }}
}}
"""
FLAGS = (
    "--allow_version_labels_for_unavailable_models",
    "--model_config_file_poll_wait_seconds=1",
    "--max_num_load_retries=0",
)


@pytest.fixture(scope="session")
def server(small_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """A server of `half`: version 1 is stable, versions 2 and 3 are on disk."""
    folder = tmp_path_factory.mktemp("rollout")
    for version in (1, 2, 3):
        models.publish(small_models / "half" / str(version), folder / "half", version)
    # Written here and only once: a restarted server must find the file as rollouts changed it.
    file = folder / "models.config"
    file.write_text(CONFIG.format(folder))
    flags = [*FLAGS, f"--model_config_file={file}"]
    with ModelServer(folder, flags, wait_for=["half"]) as running:
        yield running


@pytest.fixture
def deployment(server: ModelServer) -> Iterator[Deployment]:
    """The server's deployment; afterwards only version 1 is loaded, and is stable."""
    made = Deployment.at(server.config_file, server=server.grpc_url)
    yield made
    made.write_split(NO_CANARY)
    layout = made.layout()
    made.apply(layout.with_labels(stable=1, canary=None, previous=None))
    made.apply(made.layout().without_version(2).without_version(3))
    for version in (2, 3):
        made.server.wait_until_gone(version, 30)
    made.server.close()


@pytest.fixture
def checked(deployment: Deployment) -> Deployment:
    """A deployment whose versions count as checked; a real check takes seconds for each."""
    for path in deployment.store.versions().values():
        believe(deployment, path)
    return deployment


@pytest.fixture
def offline(tmp_path: Path, small_models: Path) -> Deployment:
    """A deployment whose server is not running."""
    shutil.copytree(small_models / "half" / "1", tmp_path / "half" / "1")
    file = tmp_path / "models.config"
    file.write_text(CONFIG.format(tmp_path))
    return Deployment.at(file, server="grpc://127.0.0.1:1")


def do(deployment: Deployment, command: Command) -> list[str]:
    """Runs a command and returns its output lines."""
    said: list[str] = []
    run(command, deployment.history, said.append)
    return said


def where(deployment: Deployment) -> list[str]:
    """The flags that name a deployment on the command line."""
    return [f"--config={deployment.config.file}", f"--server={deployment.server.url}", "--webapp="]
