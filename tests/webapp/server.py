"""Starts the front end the way users do, as a separate process."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

import requests

from tests.support.servers import HOST, ROOT, free_port


class FrontEnd:
    """`python -m webapp` on a free port, stopped at the end of a `with` block.

    Bills are counted only where the settings name a counter: it would double the time of all tests.

    Args:
        model_server: What `US_BILLS_MODEL_SERVER` says.
        files: How many files the process may have open; by default as many as this one.
        settings: More environment variables, by their whole names.
    """

    def __init__(self, model_server: str, files: str = "", **settings: str) -> None:
        self.port = int(settings.pop("US_BILLS_WEB_PORT", free_port()))
        self.url = f"http://{HOST}:{self.port}"
        # A file, since an unread pipe would stop the process once it is full.
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        own = {"US_BILLS_WEB_PORT": str(self.port), "US_BILLS_MODEL_SERVER": model_server}
        own["US_BILLS_COUNTER"] = ""
        self.process = subprocess.Popen(
            [*_limited(files), sys.executable, "-m", "webapp"],
            cwd=ROOT,
            env=os.environ | own | settings,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> "FrontEnd":
        self.wait_for("/livez", 200)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._output.close()

    def wait_for(self, path: str, status: int, seconds: float = 20) -> None:
        """Ask until `path` answers with `status`, or fail with what the process has printed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            if self._status(path) == status:
                return
            time.sleep(0.1)
        raise AssertionError(f"{path} did not answer {status}:\n{self.output()}")

    def predict(self, photo: bytes) -> requests.Response:
        """Send one photo as a form does."""
        return requests.post(f"{self.url}/predict", files={"image": photo}, timeout=60)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=20)

    def output(self) -> str:
        """All that the process has printed so far."""
        self._output.seek(0)
        return self._output.read()

    def lines_about(self, request_id: str, seconds: float = 5) -> list[dict[str, Any]]:
        """The log lines of one request, once there is one."""
        deadline, found = time.monotonic() + seconds, list[dict[str, Any]]()
        while not found and time.monotonic() < deadline:
            lines = [line for line in self.output().splitlines() if line.startswith("{")]
            found = [x for x in map(json.loads, lines) if x.get("request_id") == request_id]
        return found

    def _status(self, path: str) -> int | None:
        try:
            return requests.get(self.url + path, timeout=5).status_code
        except requests.ConnectionError:
            return None


def _limited(files: str) -> list[str]:
    # Soft and hard: it cannot raise it.
    return ["sh", "-c", f'ulimit -n {files}; exec "$0" "$@"'] if files else []
