"""Many simultaneous requests, and the number of threads that TensorFlow gets for them."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.client import DeadlineExceeded, connect
from serving.local.lifecycle.config_files import batching
from serving.local.settings import Settings, parse
from serving.local.threads import usable_cores
from tests.serving.conftest import CONFIG, LABELS
from tests.support.servers import ModelServer


def test_the_cores_that_count_are_those_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5, 7}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    options = batching(Settings(enable_batching=True))
    assert options is not None
    assert options.num_batch_threads.value == 3


def test_there_are_four_grpc_calls_at_once_a_core_unless_a_flag_says_otherwise() -> None:
    assert parse([], {})[0].grpc_max_threads == 4 * usable_cores()
    assert parse(["--grpc_max_threads=64"], {})[0].grpc_max_threads == 64


def test_answers_in_a_crowd_are_those_given_alone(small_server: ModelServer) -> None:
    client = connect(small_server.grpc_url)
    photos = [np.arange(n, n + 50, dtype=np.float32) for n in range(200)]

    def ask(x: Any) -> list[float]:
        answer: list[float] = client.predict("half", {"x": x}).outputs["y"].tolist()
        return answer

    with ThreadPoolExecutor(16) as pool:
        crowded = list(pool.map(ask, photos))
    assert crowded == [ask(photo) for photo in photos]
    client.close()


def test_deadlines_hold_in_a_crowd(small_server: ModelServer) -> None:
    client = connect(small_server.grpc_url)
    endless = {"n": np.array(10_000_000, np.int32)}

    def give_up(_: int) -> bool:
        with pytest.raises(DeadlineExceeded):
            client.predict("slow", endless, timeout=2.0)
        return True

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(give_up, range(6)))
    # The cores are free again.
    assert client.predict("half", {"x": np.ones(1, np.float32)}).outputs["y"].tolist() == [4.5]
    client.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("flag", ["intra_op", "inter_op"])
def test_flags_say_how_many_threads_there_are(
    small_models: Path, tmp_path: Path, flag: str
) -> None:
    def threads(count: int) -> int:
        flags = [LABELS, f"--tensorflow_{flag}_parallelism={count}"]
        folder = tmp_path / str(count)
        with ModelServer(folder, flags, CONFIG.format(small_models), wait_for=["half"]) as server:
            assert server.process is not None
            return len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))

    # Threads of gRPC come and go.
    assert threads(41) - threads(1) == pytest.approx(40, abs=8)
