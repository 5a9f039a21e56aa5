"""No reload or start waits for a model that a newer configuration has removed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from serving.client import DeadlineExceeded, GrpcClient
from serving.client.channel import open_channel
from serving.wire import messages_pb2 as pb
from tests.serving import models
from tests.support.servers import ModelServer

ENTRY = '  config {{ name: "{0}" base_path: "{1}/{0}" model_platform: "tensorflow" }}\n'


def config(folder: Path, *names: str) -> str:
    entries = "".join(ENTRY.format(name, folder) for name in names)
    return f"model_config_list {{\n{entries}}}\n"


def message(folder: Path, *names: str) -> pb.ModelServerConfig:
    made = pb.ModelServerConfig()
    for name in names:
        path = str(folder / name)
        made.model_config_list.config.add(name=name, base_path=path, model_platform="tensorflow")
    return made


@pytest.fixture
def folder(small_models: Path, tmp_path: Path) -> Path:
    """Base paths of `half`, and of `slow`, whose warm-up takes hours."""
    models.publish(small_models / "half" / "1", tmp_path / "half", 1)
    slow = models.publish(small_models / "slow" / "1", tmp_path / "slow", 1)
    models.write_warmup(slow, {"n": np.array(10_000_000, np.int32)})
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[ModelServer]:
    """A server of `half` that polls its configuration."""
    flags = ["--model_config_file_poll_wait_seconds=1"]
    made = ModelServer(folder / "server", flags, config(folder, "half"))
    yield made
    made.kill()


def test_a_reload_ends_when_another_one_takes_its_model_out(
    server: ModelServer, folder: Path
) -> None:
    server.wait_for = ["half"]
    server.start()
    client = GrpcClient(open_channel(server.grpc_address))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.reload, message(folder, "half", "slow"), timeout=60)
        server.wait_for_output("slow version 1: LOADING")
        client.reload(message(folder, "half"))
        assert waiting.result() is None
    client.close()


def test_a_reload_that_is_sent_again_waits_for_the_model_too(
    server: ModelServer, folder: Path
) -> None:
    server.wait_for = ["half"]
    server.start()
    client = GrpcClient(open_channel(server.grpc_address))
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            client.reload(message(folder, "half", "slow"), timeout=1)
    other = message(folder, "half", "slow")
    other.model_config_list.config[0].version_labels["stable"] = 1
    client.reload(other, timeout=30)
    client.close()


def test_the_ports_open_when_the_model_that_was_waited_for_is_taken_out(
    server: ModelServer, folder: Path
) -> None:
    (folder / "late").mkdir()
    server.config = config(folder, "late")
    server.launch()
    server.wait_for_output("No versions of servable late found")
    server.config_file.write_text(config(folder, "half"))
    server.wait_for_output("listening")
    assert server.states("half") == {1: "AVAILABLE"}
