"""`--mixed_precision=bfloat16`, on the shipped version and the page's own samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from serving.client import Client, connect
from serving.wire.tensors import Array
from tests.support.servers import ROOT, SHIPPED_FLAGS, ModelServer
from webapp.imaging.preprocessing import open_upright, to_tensor

SAMPLES = sorted((ROOT / "webapp" / "static" / "samples").glob("*.webp"))
CONVERTED = "nodes to bfloat16 precision"
"""What TensorFlow logs each time when it has rewritten a graph."""
CLOSE = 0.01
"""Processors that have bfloat16 stay within 0.002; where it is emulated, 0.004 was seen."""


@pytest.fixture(scope="module")
def in_bfloat16(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """A server that logs what TensorFlow does to its graphs."""
    folder = tmp_path_factory.mktemp("bfloat16")
    flags = [*SHIPPED_FLAGS, "--mixed_precision=bfloat16"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
        with ModelServer(folder, flags, wait_for=["us_bills", "us_bills_count"]) as server:
            yield server


def answers(client: Client, photo: Path) -> dict[str, Array]:
    """What a server says about a photo, the probabilities by the classes' names."""
    image = to_tensor(open_upright(photo.read_bytes()))[None]
    outputs = client.predict("us_bills", {"image": image}, timeout=60).outputs
    order = np.argsort(outputs["classes"][0])
    return {name: outputs[name][0] for name in ("classes", "accepted")} | {
        "probabilities": outputs["probabilities"][0][order]
    }


def test_answers_are_those_of_float32_and_probabilities_nearly_so(
    in_bfloat16: ModelServer, grpc_url: str
) -> None:
    half, full = connect(in_bfloat16.grpc_url), connect(grpc_url)
    changes = []
    for photo in SAMPLES:
        ours, theirs = answers(half, photo), answers(full, photo)
        assert ours["classes"][0] == theirs["classes"][0]
        assert ours["accepted"] == theirs["accepted"]
        changes.append(np.abs(ours["probabilities"] - theirs["probabilities"]).max())
    half.close()
    full.close()
    assert 0 < max(changes) < CLOSE


def test_all_rewrites_are_done_by_the_warm_up(in_bfloat16: ModelServer) -> None:
    # One for each of the signatures `serving_default`, `serve_bytes` and `explain`, and the
    # counter's own.
    assert in_bfloat16.output().count(CONVERTED) == 4
    client = connect(in_bfloat16.grpc_url)
    answers(client, SAMPLES[0])
    client.close()
    assert in_bfloat16.output().count(CONVERTED) == 4


def test_the_terminal_shows_what_the_server_says_and_nothing_of_the_rewrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As `make run` and the image have it.
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    name, folder = "us_bills", ROOT / "models" / "us_bills"
    flags = [f"--model_name={name}", f"--model_base_path={folder}", "--mixed_precision=bfloat16"]
    with ModelServer(tmp_path, flags, wait_for=[name]) as server:
        client = connect(server.grpc_url)
        answers(client, SAMPLES[0])
        client.close()
        server.stop()
        lines = server.output().splitlines()
    assert [line for line in lines if not line.startswith("serving: ")] == []
    assert "serving: us_bills version 2: AVAILABLE" in lines
