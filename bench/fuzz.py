"""Sends odd uploads to both tiers and prints what came back: `python -m bench.fuzz [count]`.

They are those of `tests/webapp/fuzz.py`, in four threads, to a front end and a model server of its
own. At the end: how many answers of which status, those that the API does not describe, and the
memory of the front end and its decoders before and after.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from bench.processes import megabytes
from tests.support.servers import SHIPPED_FLAGS, ModelServer
from tests.webapp.fuzz import ALLOWED, uploads
from tests.webapp.server import FrontEnd

COUNT = 10_000
WARM = 500


def main(count: int) -> None:
    """Prints one line for each measure."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ModelServer(Path(folder), flags=SHIPPED_FLAGS, wait_for=["us_bills"]) as model_server,
        FrontEnd(model_server.grpc_url) as front_end,
    ):
        _send(front_end, WARM, seed=1)
        before, started = megabytes(front_end.process.pid), time.monotonic()
        told = _send(front_end, count, seed=0)
        seconds, after = time.monotonic() - started, megabytes(front_end.process.pid)
    _say(f"{count} uploads in {seconds:.0f} s")
    for status, times in sorted(told.items()):
        _say(f"  {status}: {times}{'' if status in ALLOWED else '  NOT DESCRIBED'}")
    _say(f"memory: {before:.0f} MB after {WARM} uploads, {after:.0f} MB at the end")


def _send(front_end: FrontEnd, count: int, seed: int) -> Counter[int]:
    def ask(data: bytes) -> int:
        url = f"{front_end.url}/predict"
        return requests.post(url, files={"image": ("a.jpg", data)}, timeout=60).status_code

    with ThreadPoolExecutor(4) as threads:
        return Counter(threads.map(ask, uploads(count, seed)))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
