"""Measures the cost of counting: `python -m bench.counting`.

One client sends photos, with and without counting in turn, to two front ends: one asks a local
model server with both models by gRPC, the other asks the same server by REST.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import requests

from bench.names import COUNTER, MODEL
from bench.photos import MEGAPIXEL, SQUARE, jpeg
from tests.support.servers import SHIPPED_FLAGS, ModelServer
from tests.webapp.server import FrontEnd
from training.flags import whole


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.counting", description=__doc__)
    least_one, add = partial(whole, least=1), parser.add_argument
    add("--rounds", type=least_one, default=15, help="turns with counting, and without")
    add("--each", type=least_one, default=10, help="photos in a turn")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        ModelServer(Path(folder), SHIPPED_FLAGS, wait_for=[MODEL, COUNTER]) as server,
        FrontEnd(server.grpc_url, US_BILLS_COUNTER=COUNTER) as by_grpc,
        FrontEnd(server.rest_url, US_BILLS_COUNTER=COUNTER) as by_rest,
        requests.Session() as session,
    ):
        for protocol, front_end in (("gRPC", by_grpc), ("REST", by_rest)):
            front_end.wait_for("/readyz", 200)
            for size_name, size in (("1 megapixel", MEGAPIXEL), ("224 px", SQUARE)):
                name = f"{protocol}, {size_name}"
                print(_compared(name, jpeg(size), front_end.url, session, options))  # noqa: T201


def _compared(
    name: str, photo: bytes, url: str, session: requests.Session, options: argparse.Namespace
) -> str:
    """Returns a line with medians in milliseconds, and the median ratio over the turns."""
    times: dict[str, list[float]] = {"0": [], "1": []}
    for turn in range(options.rounds):
        for count in ("01", "10")[turn % 2]:
            seconds = [_seconds(session, url, photo, count) for _ in range(options.each)]
            times[count].append(statistics.median(seconds))
    ratio = statistics.median(b / a for a, b in zip(times["0"], times["1"], strict=True))
    without, counted = (1e3 * statistics.median(times[count]) for count in "01")
    return f"{name}: {without:.1f} ms without, {counted:.1f} ms with counting, ratio {ratio:.2f}"


def _seconds(session: requests.Session, url: str, photo: bytes, count: str) -> float:
    started = time.perf_counter()
    reply = session.post(f"{url}/predict?count={count}", files={"image": photo}, timeout=60)
    took = time.perf_counter() - started
    reply.raise_for_status()
    if count == "1" and not reply.json()["count"]["available"]:
        raise RuntimeError(f"Nothing was counted: {reply.json()['count']}.")
    return took


if __name__ == "__main__":
    main()
