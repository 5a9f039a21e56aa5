"""Many clients at once for a while: `python -m bench.load [clients] [seconds]`.

Each asks again as soon as it has its answer, or after the `Retry-After` that it was given, with a
phone's photo of two megabytes. Prints the answers by status, how long the answered ones took, and
the largest memory of the front end and its decoders, seen every half second.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import requests
from PIL import Image

from bench.memory import megabytes
from tests import specimen
from tests.conftest import SHIPPED_FLAGS
from tests.support.servers import ModelServer
from tests.webapp.server import FrontEnd

CLIENTS = 200
SECONDS = 60.0


class Load:
    """What the clients were told; filled from many threads."""

    def __init__(self, url: str, photo: bytes, seconds: float) -> None:
        self.url, self.photo = f"{url}/predict", photo
        self.end = time.monotonic() + seconds
        self.told: list[tuple[int, float]] = []
        self.peaks: list[float] = []

    def ask(self) -> None:
        """Be one client until the end."""
        while time.monotonic() < self.end:
            started = time.monotonic()
            reply = requests.post(self.url, files={"image": self.photo}, timeout=120)
            self.told.append((reply.status_code, time.monotonic() - started))
            time.sleep(float(reply.headers.get("Retry-After", 0)))

    def watch(self, pid: int) -> None:
        """Note the memory of the front end until the end."""
        while time.monotonic() < self.end:
            self.peaks.append(megabytes(pid))
            time.sleep(0.5)


def main(clients: int, seconds: float) -> None:
    """Prints one line for each measure."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ModelServer(Path(folder), flags=SHIPPED_FLAGS, wait_for=["us_bills"]) as model_server,
        FrontEnd(model_server.grpc_url) as front_end,
    ):
        load = Load(front_end.url, _photo(), seconds)
        watcher = threading.Thread(target=load.watch, args=(front_end.process.pid,))
        threads = [threading.Thread(target=load.ask) for _ in range(clients)] + [watcher]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    _report(load)


def _report(load: Load) -> None:
    for status in sorted({status for status, _ in load.told}):
        times = [seconds for told, seconds in load.told if told == status]
        p50, p99 = np.percentile(times, [50, 99])
        _say(f"{status}: {len(times)} answers, median {p50:.2f} s, 99 % within {p99:.2f} s")
    third = len(load.peaks) // 3
    first, last = max(load.peaks[:third]), max(load.peaks[-third:])
    _say(f"memory: at most {first:.0f} MB in the first third, {last:.0f} MB in the last")


def _photo() -> bytes:
    noise = np.random.default_rng(0).normal(0, 6, (3000, 4000, 1))
    large = np.asarray(specimen.bill("20", width=1000).resize((4000, 3000))) + noise
    return specimen.encode(Image.fromarray(np.clip(large, 0, 255).astype(np.uint8)), "JPEG")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    given = [float(each) for each in sys.argv[1:]]
    main(int(given[0]) if given else CLIENTS, given[1] if len(given) > 1 else SECONDS)
