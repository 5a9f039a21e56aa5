"""Both tiers as processes, and a check that other clients are served well during a test."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import requests

from tests import specimen
from tests.support.servers import ModelServer
from tests.webapp.server import FrontEnd

MEGABYTE = 2**20
PHOTO = specimen.encode(specimen.bill("20"), "JPEG")

Ask = Callable[[], None]

HIGH = 95
"""The percentile of other clients' answer times that tests bound."""


@pytest.fixture(scope="session")
def front_end(model_server: ModelServer) -> Iterator[FrontEnd]:
    """The front end with its default settings, connected to the shipped model."""
    with FrontEnd(model_server.grpc_url) as running:
        running.wait_for("/readyz", 200)
        yield running


def family(pid: int) -> dict[int, int]:
    """Returns the resident bytes of a process and its descendants, by process id."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    members = [pid]
    for member in members:
        members += children.get(member, [])
    return {member: _resident(member) for member in members}


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


class Peak(threading.Thread):
    """Measures the memory of a process and its descendants until `stop` is called.

    Attributes:
        bytes: The highest total that was measured.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._ended = pid, threading.Event()
        self.bytes = sum(family(pid).values())

    def run(self) -> None:
        """Measure twenty times a second."""
        while not self._ended.wait(0.05):
            self.bytes = max(self.bytes, sum(family(self._pid).values()))

    def stop(self) -> int:
        """End, and return the highest total that was measured."""
        self._ended.set()
        self.join()
        return self.bytes


class Others(threading.Thread):
    """An ordinary client that sends requests continuously.

    Attributes:
        seconds: How long each answer took.
        failures: The errors: refusals, wrong statuses, broken connections.
    """

    def __init__(self, ask: Ask) -> None:
        super().__init__(daemon=True)
        self._ask, self._ended = ask, threading.Event()
        self.seconds: list[float] = []
        self.failures: list[str] = []

    def run(self) -> None:
        """Send a request 0.2 seconds after each answer."""
        while not self._ended.wait(0.2):
            started = time.monotonic()
            try:
                self._ask()
            except Exception as error:
                self.failures.append(repr(error))
            self.seconds.append(time.monotonic() - started)

    def stop(self) -> None:
        """End after the current request."""
        self._ended.set()
        self.join()


@contextmanager
def unharmed(pid: int, ask: Ask, megabytes: float, seconds: float = 10) -> Iterator[Others]:
    """Runs its block while an ordinary client asks, then asserts that the client was served well.

    Args:
        pid: The process that must survive; its memory includes that of its descendants.
        ask: Sends one ordinary request; raises if the answer is not the expected one.
        megabytes: The most memory that the process may have in addition to that before.
        seconds: The bound of the ordinary answer times at the percentile `HIGH`.
    """
    ask()
    before = sum(family(pid).values())
    others, peak = Others(ask), Peak(pid)
    others.start()
    peak.start()
    try:
        yield others
    finally:
        others.stop()
        grown = (peak.stop() - before) / MEGABYTE
    ask()
    refused = f"{len(others.failures)} of {len(others.seconds)} ordinary requests failed"
    assert not others.failures, f"{refused}: {others.failures[:3]}"
    slow = float(np.percentile(others.seconds or [0.0], HIGH))
    assert slow < seconds, f"{HIGH} % of the ordinary answers took up to {slow:.1f} s."
    assert Path(f"/proc/{pid}").exists(), "The process has ended."
    assert grown < megabytes, f"{grown:.0f} MB more than before, {megabytes} are allowed."


def ask_front_end(front_end: FrontEnd) -> Ask:
    """Returns a function that sends one photo, as a phone does."""

    def ask() -> None:
        reply = requests.post(f"{front_end.url}/predict", files={"image": PHOTO}, timeout=30)
        assert reply.status_code == 200, reply.text

    return ask


def ask_rest(server: ModelServer) -> Ask:
    """Returns a function that gets the shipped model's signatures, a quick request."""

    def ask() -> None:
        reply = requests.get(f"{server.rest_url}/v1/models/us_bills/metadata", timeout=30)
        assert reply.status_code == 200, reply.text

    return ask
