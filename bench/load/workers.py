"""Worker processes that do jobs one by one: each job and each result is a line of JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import IO, Any, Self


class Worker:
    """A context manager that runs `python -m MODULE ARGUMENTS...` and sends it jobs.

    Attributes:
        hello: the first message of the process, sent once it is ready.
        seconds: the time from the start of the process to that message.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", module, *arguments]

    def __enter__(self) -> Self:
        started = time.monotonic()
        # Libraries write a lot to stderr while they load; it is shown only if the process ends.
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(  # noqa: S603
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.hello = self._receive()
        self.seconds = time.monotonic() - started
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def ask(self, job: dict[str, Any]) -> Any:
        """Sends the process a job and waits for the result."""
        pipe: IO[str] = self._process.stdin  # type: ignore[assignment]
        pipe.write(json.dumps(job) + "\n")
        pipe.flush()
        return self._receive()

    def _receive(self) -> Any:
        pipe: IO[str] = self._process.stdout  # type: ignore[assignment]
        line = pipe.readline()
        if not line:
            self._errors.seek(0)
            status, errors = self._process.wait(), self._errors.read()
            raise RuntimeError(f"{' '.join(self._command)} ended with {status}:\n{errors}")
        return json.loads(line)


def serve(do: Callable[[dict[str, Any]], object], hello: object = None) -> None:
    """Runs as a worker process: sends `hello`, then does each job until standard input ends."""
    _say(hello)
    for line in sys.stdin:
        _say(do(json.loads(line)))


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
