"""Hostile and faulty clients: clear errors, bounded memory, and other clients are served."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
import requests

from serving.client import Client, Prediction, Unavailable, connect
from tests.serving import models
from tests.serving.conftest import CONFIG, LABELS
from tests.support.servers import HOST, ModelServer, wait_until

MEGABYTE = 2**20
PREDICT = "/v1/models/half:predict"


def resident(server: ModelServer) -> int:
    """Bytes of memory that the server holds."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def ask_slow(client: Client, rounds: int) -> Prediction:
    return client.predict("slow", {"n": np.array(rounds, np.int32)}, version=1, timeout=60)


def rounds_in(seconds: float, client: Client) -> int:
    """How much can be asked for in a time, on this machine as it is now."""
    started = time.monotonic()
    ask_slow(client, 50)
    return int(50 * seconds / (time.monotonic() - started))


def ask_slow_once_free(client: Client, rounds: int) -> Prediction:
    """Asks again while another call, such as that of `wait_until_busy`, has the only place."""
    for _ in wait_until("a free place", time.monotonic() + 30):
        with suppress(Unavailable):
            return ask_slow(client, rounds)
    raise AssertionError("unreachable: `wait_until` ends by an error")


def wait_until_busy(client: Client) -> None:
    """Waits until a request is under way, in a server of one place."""
    for _ in wait_until("the only place to be taken", time.monotonic() + 30):
        try:
            client.status("slow")
        except Unavailable:
            return


def test_a_sigterm_while_another_version_loads_finishes_what_runs_and_takes_nothing_more(
    small_models: Path, tmp_path: Path
) -> None:
    models.publish(small_models / "slow" / "1", tmp_path / "slow", 1)
    endless = models.publish(small_models / "slow" / "1", tmp_path / "drafts", 2)
    models.write_warmup(endless, {"n": np.array(10_000_000, np.int32)})
    flags = ["--model_name=slow", f"--model_base_path={tmp_path / 'slow'}", "--grpc_max_threads=1"]
    server = ModelServer(tmp_path / "server", flags, wait_for=["slow"])
    with server, closing(connect(server.grpc_url)) as client, ThreadPoolExecutor(1) as pool:
        endless.rename(tmp_path / "slow" / "2")
        server.wait_for_state("slow", 2, "LOADING")
        asked = pool.submit(ask_slow_once_free, client, rounds_in(6.0, client))
        wait_until_busy(client)
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        for _ in wait_until("new connections to be refused", time.monotonic() + 30):
            if not is_open(server.rest_port):
                break
        assert not asked.done()
        assert asked.result().version == 1
        assert server.stop() == 0
        assert "Traceback" not in server.output()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_loads_ends_it_with_0(
    small_models: Path, tmp_path: Path, number: signal.Signals
) -> None:
    slow = models.publish(small_models / "slow" / "1", tmp_path / "slow", 1)
    models.write_warmup(slow, {"n": np.array(1_000_000, np.int32)})
    server = ModelServer(tmp_path / "s", ["--model_name=slow", f"--model_base_path={slow.parent}"])
    process = server.launch()
    server.wait_for_output("slow version 1: LOADING")
    process.send_signal(number)
    assert process.wait(30) == 0
    assert "Traceback" not in server.output()


def test_every_request_before_a_sigterm_is_answered(small_models: Path, tmp_path: Path) -> None:
    answers: list[int] = []
    with ModelServer(tmp_path, [LABELS], CONFIG.format(small_models)) as server:
        url = f"{server.rest_url}/v1/models/slow:predict"

        def ask() -> None:
            answers.append(requests.post(url, json.dumps({"inputs": 150}), timeout=60).status_code)

        asking = [threading.Thread(target=ask) for _ in range(4)]
        for thread in asking:
            thread.start()
        time.sleep(0.3)
        assert server.stop() == 0
        for thread in asking:
            thread.join()
    assert answers == [200] * 4


def test_the_memory_of_an_unloaded_version_is_returned(tmp_path: Path) -> None:
    base = tmp_path / "big"
    models.save(models.Big(), base / "1")
    flags = ["--model_name=big", f"--model_base_path={base}"]
    with ModelServer(tmp_path / "server", flags) as server:
        client = connect(server.grpc_url)
        client.predict("big", {"x": np.array([1], np.float32)})
        loaded = resident(server)
        (base / "1").rename(tmp_path / "gone")
        server.wait_for_state("big", 1, "END")
        client.close()
        assert loaded - resident(server) > 0.8 * models.Big.BYTES


def test_so_is_that_of_a_version_that_cannot_be_loaded(tmp_path: Path) -> None:
    base = tmp_path / "model"
    models.save(models.HalfPlus(2.0), base / "1")
    bad = models.save(models.Big(), tmp_path / "big" / "1")
    # It fails once its variables are there.
    with models.edited(bad) as graph:
        graph.signature_def["__saved_model_init_op"].outputs.clear()
    flags = ["--model_name=half", f"--model_base_path={base}", "--max_num_load_retries=0"]
    with ModelServer(tmp_path / "server", flags, wait_for=["half"]) as server:
        alone = resident(server)
        bad.rename(base / "2")
        server.wait_for_state("half", 2, "END")
        # It says so before it has cleaned up.
        for _ in wait_until("memory is returned", time.monotonic() + 10):
            if resident(server) - alone < 0.2 * models.Big.BYTES:
                break
