"""What people would pick instead: the same network behind three Python servers and ONNX Runtime.

Each is written the way its own documentation teaches: `fastapi_app`, `litserve_app`, `bentoml_app`.
docs/performance.md tells their settings.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, Popen

from bench.load.processes import family
from tests.support.servers import HOST, ROOT

FOLDER = "US_BILLS_BENCH_FOLDER"
"""The variable that names the folder of the weights; some servers import their service by name."""
_PACKAGE = "bench.contenders"
_UVICORN = (
    *("uvicorn", f"{_PACKAGE}.fastapi_app:app", "--host", HOST),
    *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"),
)
PEERS = {
    "FastAPI + ONNX Runtime": (*_UVICORN, "--port"),
    "LitServe + ONNX Runtime": (f"{_PACKAGE}.litserve_app",),
    "BentoML + ONNX Runtime": (
        *("bentoml", "serve", f"{_PACKAGE}.bentoml_app:Bills", "--host", HOST, "--port"),
    ),
}
"""The module that starts each, and its arguments but for the port."""


@contextmanager
def serving(name: str, weights: Path, port: int) -> Iterator[Popen[bytes]]:
    """One of `PEERS` as a process, which may not listen yet.

    Args:
        name: of the peer.
        weights: the folder of the network.
        port: to listen on.
    """
    environment = os.environ | {
        FOLDER: str(weights),
        "BENTOML_DO_NOT_TRACK": "true",
        "BENTOML_HOME": str(weights / "bentoml"),
    }
    command = [sys.executable, "-m", *PEERS[name], str(port)]
    process = Popen(command, cwd=ROOT, env=environment, stdout=DEVNULL, stderr=DEVNULL)  # noqa: S603
    try:
        yield process
    finally:
        # LitServe outlives the polite signal, and BentoML's workers are in sessions of their own.
        for pid in family(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
