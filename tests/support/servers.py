"""Real servers as subprocesses on free ports."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
HOW_TO_SERVE = (
    "--allow_version_labels_for_unavailable_models=true",
    "--tensorflow_intra_op_parallelism=1",
    "--grpc_max_threads=100",
)
SHIPPED_FLAGS = (
    f"--model_config_file={ROOT / 'serving' / 'config' / 'models.config'}",
    f"--monitoring_config_file={ROOT / 'serving' / 'config' / 'monitoring.config'}",
    f"--models_root={ROOT / 'models'}",
    *HOW_TO_SERVE,
)
START_SECONDS = 120.0
STOP_SECONDS = 30.0
_PORTS_EACH = 2_000

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _candidates() -> Iterator[int]:
    """Yields ports that no other process of the test run tries, one after the other, for ever.

    They are below those that the system gives to connections (Linux: 32768, IANA: 49152), which
    would take a port between its choice and its use.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first, begin = 20_000 + worker % 6 * _PORTS_EACH, random.randrange(_PORTS_EACH)
    while True:
        yield from (first + (begin + n) % _PORTS_EACH for n in range(_PORTS_EACH))


_ports = _candidates()


def free_port() -> int:
    """Returns a port on which no process listens at this moment, another one at each call."""
    return next(port for port in _ports if _is_free(port))


def free_ports(count: int) -> range:
    """Returns adjacent ports on which no process listens at this moment."""
    while True:
        found = [next(_ports) for _ in range(count)]
        if found[-1] - found[0] == count - 1 and all(map(_is_free, found)):
            return range(found[0], found[0] + count)


def _is_free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind((HOST, port))
        return True
    return False


def wait_until(condition: str, deadline: float) -> Iterator[None]:
    """Yields every 50 ms; fails with the condition's name once the deadline has passed."""
    while time.monotonic() < deadline:
        yield
        time.sleep(0.05)
    raise TimeoutError(f"Still waiting: {condition}")


@dataclasses.dataclass
class ModelServer:
    """`python -m serving` with given flags, as a context manager.

    Attributes:
        folder: holds the server's output and configuration.
        flags: further flags; the ports and `--host` are added.
        config: text of a `models.config`, if the flags name none.
        wait_for: the models that must be AVAILABLE before `start` returns.
    """

    folder: Path
    flags: Sequence[str] = ()
    config: str | None = None
    wait_for: Sequence[str] = ()
    grpc_port: int = dataclasses.field(default_factory=free_port)
    rest_port: int = dataclasses.field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = dataclasses.field(default=None, init=False)

    @property
    def grpc_address(self) -> str:
        """The address for gRPC channels."""
        return f"{HOST}:{self.grpc_port}"

    @property
    def grpc_url(self) -> str:
        """The gRPC URL for `serving.client.connect`."""
        return f"grpc://{self.grpc_address}"

    @property
    def rest_url(self) -> str:
        """The REST URL for `serving.client.connect` and for plain requests."""
        return f"http://{HOST}:{self.rest_port}"

    @property
    def config_file(self) -> Path:
        """The file that `config` is written to."""
        return self.folder / "models.config"

    def start(self) -> Self:
        """Starts the server, or starts it again on the same ports."""
        self.launch()
        deadline = time.monotonic() + START_SECONDS
        for model in self.wait_for or [""]:
            self._wait(model, deadline)
        return self

    def launch(self) -> subprocess.Popen[bytes]:
        """Starts the process without waiting for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "output.txt").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serving", *self._flags()],
                cwd=ROOT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.process

    def stop(self) -> int:
        """Asks the server to stop, as Ctrl-C or an init system does; returns its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kills the server as a crash would."""
        self._end(signal.SIGKILL)

    def output(self) -> str:
        """Returns everything that the server has printed."""
        file = self.folder / "output.txt"
        return file.read_text() if file.exists() else ""

    def states(self, model: str) -> dict[int, str]:
        """Returns the state by version over REST; empty if the model or server is not found."""
        try:
            with _DIRECT.open(f"{self.rest_url}/v1/models/{model}", timeout=5) as reply:
                entries = json.load(reply)["model_version_status"]
        except urllib.error.HTTPError as error:
            error.close()
            return {}
        except OSError:
            return {}
        return {int(entry["version"]): entry["state"] for entry in entries}

    def wait_for_state(self, model: str, version: int, state: str, seconds: float = 30) -> None:
        """Waits until a version has a state."""
        name = f"{model} version {version} to be {state}"
        for _ in wait_until(name, time.monotonic() + seconds):
            if self.states(model).get(version) == state:
                return

    def wait_for_output(self, text: str, seconds: float = 30) -> None:
        """Waits until the server has printed a text."""
        self.wait_for_any_output([text], seconds)

    def wait_for_any_output(self, texts: Sequence[str], seconds: float = 30) -> None:
        """Waits until the server has printed one of several texts."""
        for _ in wait_until(f"output {texts!r}", time.monotonic() + seconds):
            output = self.output()
            if any(text in output for text in texts):
                return

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.kill()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        if error is not None:
            sys.stderr.write(f"---- output of the model server\n{self.output()}\n")

    def _flags(self) -> list[str]:
        ports = [f"--port={self.grpc_port}", f"--rest_api_port={self.rest_port}", f"--host={HOST}"]
        if self.config is not None:
            self.config_file.write_text(self.config)
            ports.append(f"--model_config_file={self.config_file}")
        return [*ports, *self.flags]

    def _wait(self, model: str, deadline: float) -> None:
        for _ in wait_until(f"model {model!r} to be AVAILABLE", deadline):
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError(f"The model server ended at its start:\n{self.output()}")
            if "AVAILABLE" in self.states(model).values() or (not model and self._listens()):
                return

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.rest_port), 1):
            return True
        return False

    def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        status = self.process.wait(STOP_SECONDS)
        self.process = None
        return status
