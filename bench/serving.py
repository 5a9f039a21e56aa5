"""What the local model server adds to calling the model, as ratios taken in one run.

Run it as `python -m bench.serving`. Overhead: medians of one client with one 224x224x3 image, over
running the loaded signature in this process in turn. Throughput: eight clients over gRPC, against
two threads that run the loaded signature in a loop.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from serving.client import Client, connect
from serving.local.predict import predict
from serving.local.servable import SavedModel
from serving.wire.tensors import Array
from tests.support.servers import ROOT, ModelServer

ROUNDS = 60
SECONDS = 15.0
LARGEST_MS = {"gRPC uint8": 1.0, "REST b64": 2.5}
SMALLEST_SHARE = 0.95
IMAGE = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)

Ask = Callable[[], object]


def main() -> None:
    """Prints one line for each measure."""
    import cv2

    jpeg = cv2.imencode(".jpg", IMAGE[0])[1].tobytes()
    photo = {"image_bytes": np.array([jpeg], np.object_)}
    model = SavedModel(max((ROOT / "models" / "us_bills").glob("[0-9]*")))
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--model_name=us_bills", f"--model_base_path={ROOT}/models/us_bills"]
        with ModelServer(Path(folder), flags) as server:
            grpc, rest = connect(server.grpc_url), connect(server.rest_url)
            image = {"image": IMAGE}
            _overhead(
                "gRPC uint8",
                lambda: grpc.predict("us_bills", image),
                lambda: predict(model, "serving_default", image),
            )
            _overhead(
                "REST b64",
                lambda: rest.predict("us_bills", photo, signature="serve_bytes"),
                lambda: predict(model, "serve_bytes", photo),
            )
            clients = [connect(server.grpc_url) for _ in range(8)]
            asks: list[Ask] = [_asker(client, image) for client in clients]
            runs: list[Ask] = [lambda: predict(model, "serving_default", image)] * 2
            served, called = _rate(asks), _rate(runs)
            share = served / called
            _say(f"throughput, 8 clients: {served:.1f}/s against {called:.1f}/s in Python")
            _say(f"  share {share:.3f}, at least {SMALLEST_SHARE}")


def _asker(client: Client, image: Mapping[str, Array]) -> Ask:
    return lambda: client.predict("us_bills", image)


def _overhead(name: str, ask: Ask, run: Ask) -> None:
    """Asks and runs in turn, so that whatever else the machine does falls on both."""
    asked, ran = [], []
    for _ in range(ROUNDS):
        asked.append(_milliseconds(ask))
        ran.append(_milliseconds(run))
    over = statistics.median(asked) - statistics.median(ran)
    _say(f"{name}: {over:.2f} ms over {statistics.median(ran):.2f} ms, at most {LARGEST_MS[name]}")


def _milliseconds(work: Ask) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def _rate(works: list[Ask]) -> float:
    """Calls in a second, each work in a thread of its own."""
    counts = [0] * len(works)
    end = time.perf_counter() + SECONDS

    def loop(number: int) -> None:
        while time.perf_counter() < end:
            works[number]()
            counts[number] += 1

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
