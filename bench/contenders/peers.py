"""Common alternatives: the same network in ONNX Runtime behind three other Python servers.

Each server follows its own documentation: `fastapi_app`, `litserve_app`, `bentoml_app`.
docs/performance.md lists their settings.
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
from bench.names import FASTAPI
from tests.support.servers import HOST, ROOT

FOLDER = "US_BILLS_BENCH_FOLDER"
"""The environment variable for the weights' folder, since some servers import services by name."""
_PACKAGE = "bench.contenders"
_UVICORN = (
    *("uvicorn", f"{_PACKAGE}.fastapi_app:app", "--host", HOST),
    *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"),
)
PEERS = {
    FASTAPI: (*_UVICORN, "--port"),
    "LitServe + ONNX Runtime": (f"{_PACKAGE}.litserve_app",),
    "BentoML + ONNX Runtime": (
        *("bentoml", "serve", f"{_PACKAGE}.bentoml_app:Bills", "--host", HOST, "--port"),
    ),
}
"""For each server, the module to run and its arguments; the port is appended."""


@contextmanager
def serving(name: str, weights: Path, port: int) -> Iterator[Popen[bytes]]:
    """Runs one of `PEERS` as a process, which may not listen yet.

    Args:
        name: a key of `PEERS`.
        weights: the folder of the network.
        port: the port to listen on.
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
        # LitServe survives SIGTERM, and BentoML's workers are in separate sessions.
        for pid in family(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
