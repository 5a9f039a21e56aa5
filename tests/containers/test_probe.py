"""The model server's health check, run against a real server in each of its states."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import models
from tests.support.servers import ROOT, ModelServer, free_port

# Version 1, which the front end asks for, and 2, which is on trial.
CONFIG = """model_config_list {{ config {{
  name: "half" base_path: "{0}" model_platform: "tensorflow"
  model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
  version_labels {{ key: "stable" value: 1 }}
  version_labels {{ key: "canary" value: 2 }}
}} }}
"""
LABELS = "--allow_version_labels_for_unavailable_models=true"


def healthy(rest_port: int, grpc_port: int, model: str = "half") -> bool:
    """What the engine and the cluster make of the script's exit status."""
    script = ROOT / "serving" / "config" / "available.sh"
    check = ["bash", str(script), model, str(rest_port), str(grpc_port)]
    return subprocess.run(check, capture_output=True, timeout=30, check=False).returncode == 0


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    """A folder with version 2; version 1 lies beside it, still being copied."""
    root = tmp_path / "half"
    models.save(models.HalfPlus(2.0), root / "2")
    models.save(models.HalfPlus(3.0), tmp_path / "still copied")
    return root


@pytest.fixture
def server(versions: Path, tmp_path: Path) -> Iterator[ModelServer]:
    """A server restarted during a canary: version 2 is AVAILABLE, `stable` is not yet."""
    with ModelServer(tmp_path / "server", [LABELS], CONFIG.format(versions)) as started:
        started.wait_for_state("half", 2, "AVAILABLE", seconds=60)
        yield started


def test_a_server_is_healthy_when_stable_answers_and_not_when_only_a_canary_does(
    server: ModelServer, versions: Path, tmp_path: Path
) -> None:
    assert not healthy(server.rest_port, server.grpc_port)
    (tmp_path / "still copied").rename(versions / "1")
    server.wait_for_state("half", 1, "AVAILABLE", seconds=60)
    assert healthy(server.rest_port, server.grpc_port)
    assert not healthy(server.rest_port, free_port())
    assert not healthy(server.rest_port, server.grpc_port, "another_model")


def test_nobody_listening_is_not_healthy() -> None:
    assert not healthy(free_port(), free_port())
