"""Runs the benchmarks and writes docs/performance.md: `make bench`, or `python -m bench`.

The figures are written to docs/performance/figures.json; tables and plots are made from that file.
`--page` makes tables and plots again without measuring.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from bench.contenders.contender import Contender
from bench.contenders.contenders import Systems
from bench.contenders.decoding import reduced
from bench.contenders.engines import BFLOAT16, ENGINES, IMAGE, VERSION
from bench.contenders.peers import PEERS
from bench.growth import grow
from bench.load.generator import Generator
from bench.load.workers import Worker
from bench.names import COUNTING, FRONT_END, FRONT_END_FLOAT32, MODEL, crowd
from bench.photos import MEGAPIXEL, jpeg
from bench.report import page, plots
from bench.report.figures import Slice
from bench.rounds import Measurement, ask, call
from bench.stages import where_the_time_goes
from tests.support.servers import ROOT
from training.flags import whole

DOCS = ROOT / "docs"
FIGURES = DOCS / "performance" / "figures.json"
LONG_CLIENTS, LONG_SECONDS = 64, 60
ROUNDS = 6
PROFILED = (1, 64)
LIBRARIES = (
    *("tensorflow", "onnxruntime", "openvino", "ai-edge-litert", "pillow", "grpcio"),
    *("fastapi", "uvicorn", "litserve", "bentoml"),
)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--target", metavar="HOST:PORT", help="gRPC of a TensorFlow Serving to measure"
    )
    least_one, add = partial(whole, least=1), parser.add_argument
    add("--rounds", type=least_one, default=ROUNDS, help="how often each contender is measured")
    add("--long", type=least_one, default=LONG_SECONDS, help="seconds of the long load")
    add("--page", action="store_true", help="do not measure, only rewrite the page")
    options = parser.parse_args()
    # The exit ends all processes that this one has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.page:
        text = FIGURES.read_text()
    else:
        measured = measure(options.rounds, options.long, options.target)
        text = json.dumps(measured, indent=1) + "\n"
    # Figures that make no page do not take the place of those that do, and are not lost.
    draft = FIGURES.with_suffix(".new.json")
    draft.write_text(text)
    figures = json.loads(text)
    plots.write(figures, FIGURES.parent)
    page.write(figures, DOCS / "performance.md")
    draft.replace(FIGURES)
    say(f"written: {DOCS / 'performance.md'}")


def measure(rounds: int, long_seconds: float, target: str | None) -> dict[str, Any]:
    """Starts all systems, measures them in turn, and returns the figures for the JSON file."""
    started, machine = time.monotonic(), _machine()
    with tempfile.TemporaryDirectory() as name, ExitStack() as later:
        systems = later.enter_context(Systems(Path(name), _image(Path(name))))
        say("starting the servers")
        systems.start_ours()
        generator = later.enter_context(Generator())
        server = systems.contenders[0]
        front = next(each for each in systems.contenders if "1 meg" in each.name)
        # Measured first, while no other process shares library pages with the two tiers.
        say(f"{LONG_CLIENTS} clients for {long_seconds:.0f} seconds")
        lasted = _last_long(generator, front, long_seconds)
        memory = {system.name: system.peak for system in front.systems}
        memory["worker"] = front.systems[0].children_peak
        say("starting the engines with the same weights, the original design, other servers")
        _hand_out_weights(systems.version, Path(name))
        engines = {
            key: later.enter_context(Worker("bench.contenders.engines", key, name))
            for key in ENGINES
            if systems.bfloat16 or key != BFLOAT16
        }
        if systems.bfloat16:
            systems.start_float32()
        systems.start_peers()
        systems.start_original()
        if target:
            systems.meet(target)
        measured = Measurement(systems.contenders, engines, generator).run(rounds, say)
        say("where the time goes, and larger and larger work")
        systems.start_counting()
        spent = {
            f"{each.name}, {crowd(clients)}": where_the_time_goes(generator, each, clients, 3.0)
            for each in systems.contenders
            if each.name.startswith((f"{FRONT_END}, ", f"{COUNTING}, "))
            for clients in PROFILED
        }
        grown = grow(systems, generator, front, server)
        in_process = {size: call(engines["signature"], 1, 1.0, size) for size in grown.batches}
    return {
        "machine": machine,
        "minutes": (time.monotonic() - started) / 60,
        "version": systems.version,
        "precision": "bfloat16" if systems.bfloat16 else "float32",
        "front_ends": [FRONT_END, FRONT_END_FLOAT32] if systems.bfloat16 else [FRONT_END],
        "peers": list(PEERS),
        "hello": {name: worker.hello for name, worker in engines.items()},
        **asdict(measured),
        "spent": spent,
        "grown": grown._asdict() | {"in_process": in_process},
        "long": {"seconds": long_seconds, "slice": lasted, "memory": memory},
        "systems": {system.name: asdict(system) for system in systems.systems},
    }


def say(line: str) -> None:
    """Prints the progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
        "libraries": _libraries(),
    }


def _libraries() -> dict[str, str]:
    try:
        return {name: version(name) for name in LIBRARIES}
    except PackageNotFoundError as error:
        sys.exit(f"The package {error.name} is missing. Run `make bench`, which installs all.")


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _image(folder: Path) -> np.ndarray[Any, Any]:
    image = reduced(jpeg(MEGAPIXEL))[None]
    np.save(folder / IMAGE, image)
    return image


def _hand_out_weights(number: int, folder: Path) -> None:
    """Puts the version into the engines' folder, in the format of each engine."""
    path = ROOT / "models" / MODEL / str(number)
    (folder / VERSION).symlink_to(path)
    command = [sys.executable, "-m", "bench.contenders.weights", str(path), str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)  # noqa: S603


def _last_long(generator: Generator, front: Contender, seconds: float) -> Slice:
    """Runs many clients for `seconds`, and measures the memory every second."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1.0):
            front.look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return ask(generator, front, LONG_CLIENTS, seconds)
    finally:
        over.set()
        watcher.join()


if __name__ == "__main__":
    main()
