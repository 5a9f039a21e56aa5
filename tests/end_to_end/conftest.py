"""Both tiers, started by the Procfile as `make run` starts them."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from tests import specimen
from tests.support.servers import HOST, ROOT, free_port

Ask = Callable[[list[str], str], str]


class Stack:
    """`honcho start` on free ports, which is what `make run` runs after installing."""

    def __init__(self, **ports: int) -> None:
        names = ("US_BILLS_GRPC_PORT", "US_BILLS_REST_PORT", "US_BILLS_WEB_PORT")
        self.ports = {name: ports.get(name) or free_port() for name in names}
        self.grpc_target = f"{HOST}:{self.ports['US_BILLS_GRPC_PORT']}"
        self.rest_url = f"http://{HOST}:{self.ports['US_BILLS_REST_PORT']}"
        self.web_url = f"http://{HOST}:{self.ports['US_BILLS_WEB_PORT']}"
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "honcho", "--no-colour", "start"],
            cwd=ROOT,
            env=self.environment(),
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def environment(self) -> dict[str, str]:
        """Returns the environment of `make run`: the ports, and this Python first in `PATH`.

        The precision is float32 on every processor, so that answers agree to the last digits.
        """
        path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
        ports = {name: str(port) for name, port in self.ports.items()}
        return {**os.environ, "US_BILLS_PRECISION": "float32"} | ports | {"PATH": path}

    def wait_until_ready(self, seconds: float = 90) -> Self:
        """Waits for the line that asks the user to open the page."""
        deadline = time.monotonic() + seconds
        while f"open {self.web_url}" not in self.output():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The two tiers did not start:\n{self.output()}")
            time.sleep(0.1)
        return self

    def pid_of(self, name: str) -> int:
        """Returns the process id of `serving` or `web`, from honcho's own line."""
        line = next(x for x in self.output().splitlines() if f"{name}.1 started (pid=" in x)
        return int(line.rsplit("=", 1)[1].rstrip(")"))

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Sends a signal to the whole group, as Ctrl-C does, and returns the exit status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
        return self.process.wait(timeout=30)

    def output(self) -> str:
        """Returns everything printed so far."""
        self._output.seek(0)
        return self._output.read()

    def predict(self, photo: bytes, query: str = "") -> requests.Response:
        """Sends one photo to the front end."""
        files = {"image": photo}
        return requests.post(f"{self.web_url}/predict{query}", files=files, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._output.close()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Both tiers with the shipped model, ready."""
    with Stack() as running:
        yield running.wait_until_ready()


def blocks(document: str, language: str) -> list[str]:
    """Returns the examples in one language of a Markdown document."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)


def read_documents(output: str) -> list[dict[str, Any]]:
    """Returns the JSON documents that an example printed one after the other."""
    decoder, documents = json.JSONDecoder(), []
    while output := output.strip():
        document, end = decoder.raw_decode(output)
        documents.append(document)
        output = output[end:]
    return documents


@pytest.fixture
def ask(stack: Stack, tmp_path: Path) -> Ask:
    """Runs an example next to a `photo.jpg`, against the running tiers, and returns its output."""
    (tmp_path / "photo.jpg").write_bytes(specimen.encode(specimen.bill("20"), "JPEG"))
    ports = {
        "5000": "US_BILLS_WEB_PORT",
        "8500": "US_BILLS_GRPC_PORT",
        "8501": "US_BILLS_REST_PORT",
    }

    def run(command: list[str], example: str) -> str:
        for port, variable in ports.items():
            example = example.replace(f"localhost:{port}", f"{HOST}:{stack.ports[variable]}")
        done = subprocess.run(
            [*command, example],
            cwd=tmp_path,
            env=stack.environment() | {"PYTHONPATH": str(ROOT), "no_proxy": "*"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
