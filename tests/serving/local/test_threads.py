"""If threads are limited or die, the server still answers, or ends and says why."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from serving.client import connect
from serving.local.main import DEAD
from serving.local.threads import StartedPool
from tests.support.servers import HOST, ROOT, ModelServer, free_port

PIDS = Path("/sys/fs/cgroup/pids")

SABOTAGE = """
import ctypes, sys, threading, time
from serving.local.main import main

def sabotage():
    while True:
        time.sleep(0.2)
        # Once the main thread waits, all has started.
        for thread in threading.enumerate():
            if "_serve" in thread.name and threading.excepthook is not threading.__excepthook__:
                ident = ctypes.c_ulong(thread.ident)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(RuntimeError))
                return

threading.Thread(target=sabotage, daemon=True).start()
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Path]:
    """A control group of its own, which can limit how many threads its processes have."""
    made = PIDS / f"us_bills_test_{tmp_path.name}"
    try:
        made.mkdir()
    except OSError:
        pytest.skip("control groups for pids cannot be made here")
    yield made
    made.rmdir()


def test_a_server_that_may_start_no_thread_answers_as_many_calls_as_before(
    small_models: Path, group: Path, tmp_path: Path
) -> None:
    flags = ["--model_name=half", f"--model_base_path={small_models / 'half'}"]
    flags.append("--grpc_max_threads=32")
    with ModelServer(tmp_path / "server", flags, wait_for=["half"]) as server:
        assert server.process is not None
        (group / "cgroup.procs").write_text(str(server.process.pid))
        (group / "pids.max").write_text((group / "pids.current").read_text())
        client = connect(server.grpc_url)
        x = np.array([1], np.float32)
        with ThreadPoolExecutor(32) as pool:
            answers = pool.map(lambda _: client.predict("half", {"x": x}).outputs["y"], range(200))
            assert {float(answer[0]) for answer in answers} == {4.5}
        client.close()
        assert server.process.poll() is None


def test_a_start_with_too_few_threads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        StartedPool(4, "test")


def test_all_threads_of_a_pool_run_and_the_one_that_was_idle_last_is_taken() -> None:
    pool, barrier = StartedPool(7, "test"), threading.Barrier(7)
    asked = [pool.submit(barrier.wait, 30) for _ in range(7)]
    assert sorted(future.result(30) for future in asked) == list(range(7))
    names = {pool.submit(lambda: threading.current_thread().name).result(30) for _ in range(50)}
    assert len(names) < 7


def test_more_work_than_threads_waits_and_an_error_is_the_futures() -> None:
    pool = StartedPool(1, "test")
    asked = [pool.submit(divmod, number, 3) for number in range(20)]
    failed = pool.submit(divmod, 1, 0)
    assert [future.result(30) for future in asked] == [divmod(n, 3) for n in range(20)]
    assert isinstance(failed.exception(30), ZeroDivisionError)


def test_a_server_whose_thread_for_grpc_has_died_ends_with_a_reason(small_models: Path) -> None:
    flags = [f"--port={free_port()}", f"--rest_api_port={free_port()}", f"--host={HOST}"]
    flags += ["--model_name=half", f"--model_base_path={small_models / 'half'}"]
    ended = subprocess.run(
        [sys.executable, "-c", SABOTAGE, *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == DEAD
    assert "The server cannot go on without it and ends." in ended.stderr
