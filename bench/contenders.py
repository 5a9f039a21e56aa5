"""The systems that are put under load, started as users start them, and what they are sent."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import requests

from bench.generator import Target
from bench.photos import MEGAPIXEL, PHONE, SQUARE, jpeg
from bench.processes import children_of, cpu_seconds, megabytes, own_megabytes
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import to_proto
from tests.support.servers import HOST, ROOT, SHIPPED_FLAGS, ModelServer, free_port, wait_until
from tests.webapp.server import FrontEnd

MODEL = "us_bills"
PHOTOS = {"224 px": SQUARE, "1 megapixel": MEGAPIXEL, "12 megapixels": PHONE}


@dataclass
class System:
    """A process and its children.

    Attributes:
        name: as the tables have it.
        pid: of the process.
        seconds: from its start until it was ready.
        peak: the most memory that was seen, in MB.
        children_peak: the same without the process itself.
    """

    name: str
    pid: int
    seconds: float
    peak: float = 0.0
    children_peak: float = 0.0

    def look(self) -> None:
        """Notes how much memory it takes at this moment."""
        children = sum(map(megabytes, children_of(self.pid)))
        self.children_peak = max(self.children_peak, children)
        self.peak = max(self.peak, children + own_megabytes(self.pid))


@dataclass(frozen=True)
class Contender:
    """A row of the table.

    Attributes:
        name: as the table has it.
        systems: those of this machine that have a part in an answer.
        target: who is asked, and what.
        slow: whether a crowd would take minutes of a run.
    """

    name: str
    systems: list[System]
    target: Target
    slow: bool = False

    def cpu(self) -> float:
        """Seconds of processor that its systems have taken."""
        return sum(cpu_seconds(system.pid) for system in self.systems)

    def look(self) -> None:
        """Notes how much memory its systems take."""
        for system in self.systems:
            system.look()


@dataclass
class Stage:
    """All that runs, to be used in a `with` block.

    Attributes:
        folder: has the weights in the forms of `bench.weights`; what is sent is put there too.
        image: uint8 [1,224,224,3], what a front end makes of the photo.
        rows: who is asked, and what.
        systems: what runs on this machine.
        version: of the model that answers.
    """

    folder: Path
    image: np.ndarray[Any, np.dtype[np.uint8]]
    rows: list[Contender] = field(default_factory=list)
    systems: list[System] = field(default_factory=list)
    version: int = 0
    _later: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._later.close()

    def start_ours(self) -> None:
        """The local server, asked directly by both protocols, and the front end before it."""
        started = time.monotonic()
        server = self._later.enter_context(
            ModelServer(self.folder / "server", SHIPPED_FLAGS, wait_for=[MODEL])
        )
        local = self._system("local server", server.process, started)
        self.version = max(server.states(MODEL))
        self._add("local server, gRPC, tensor", [local], self.by_grpc(server.grpc_url))
        self._add("local server, REST, 224 px JPEG in base64", [local], self._by_rest(server))
        self._start_front_end("front end", server.grpc_url, [local])

    def start_original(self) -> None:
        """The original design with the same weights."""
        started, port = time.monotonic(), free_port()
        process = self._later.enter_context(_python("bench.original", self.folder, port))
        for _ in wait_until("the original design", started + 120):
            if _answers(f"http://{HOST}:{port}/ready"):
                break
        system = self._system("original design", process, started)
        for photo in ("224 px", "1 megapixel"):
            target = Target(
                f"http://{HOST}:{port}/predict", self._in_json(PHOTOS[photo]), "application/json"
            )
            self._add(f"original design, {photo} JPEG in base64", [system], target, slow=True)

    def meet(self, address: str) -> None:
        """A TensorFlow Serving that runs elsewhere, `host:port` of its gRPC, and a front end."""
        self._add("TensorFlow Serving, gRPC, tensor", [], self.by_grpc(f"grpc://{address}"))
        self._start_front_end("front end before TensorFlow Serving", f"grpc://{address}", [])

    def _start_front_end(self, name: str, model_server: str, behind: list[System]) -> None:
        started = time.monotonic()
        front = self._later.enter_context(FrontEnd(model_server))
        front.wait_for("/readyz", 200)
        system = self._system(name, front.process, started)
        for photo, size in PHOTOS.items():
            target = Target(f"{front.url}/predict", self.file(f"{size[0]}.jpg", jpeg(size)))
            self._add(f"{name}, {photo} JPEG", [system, *behind], target)

    def by_grpc(self, url: str, batch: int = 1) -> Target:
        """`Predict` with a batch of the image."""
        request = pb.PredictRequest(model_spec=pb.ModelSpec(name=MODEL))
        request.inputs["image"].CopyFrom(to_proto(np.repeat(self.image, batch, axis=0)))
        return Target(url, self.file(f"{batch}.message", request.SerializeToString()))

    def file(self, name: str, content: bytes) -> str:
        """Puts bytes to be sent where the generator finds them."""
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def _by_rest(self, server: ModelServer) -> Target:
        b64 = base64.b64encode(jpeg(SQUARE)).decode()
        request = {"signature_name": "serve_bytes", "instances": [{"b64": b64}]}
        url = f"{server.rest_url}/v1/models/{MODEL}:predict"
        return Target(url, self.file("rest.json", json.dumps(request).encode()), "application/json")

    def _in_json(self, size: tuple[int, int]) -> str:
        url = "data:image/jpeg;base64," + base64.b64encode(jpeg(size)).decode()
        return self.file(f"{size[0]}.json", json.dumps(url).encode())

    def _system(self, name: str, process: subprocess.Popen[bytes] | None, started: float) -> System:
        if process is None:
            raise RuntimeError(f"{name} has no process.")
        self.systems.append(System(name, process.pid, time.monotonic() - started))
        return self.systems[-1]

    def _add(self, name: str, systems: list[System], target: Target, *, slow: bool = False) -> None:
        self.rows.append(Contender(name, systems, target, slow))


@contextmanager
def _python(module: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT)  # noqa: S603
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except (requests.ConnectionError, requests.Timeout):
        return False
