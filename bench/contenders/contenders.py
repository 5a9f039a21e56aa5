"""The systems under load, with the shipped flags and models, and the requests sent to them.

Front ends count no bills, except that of `Systems.start_counting`.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import requests

from bench.contenders.contender import Contender, System
from bench.contenders.peers import PEERS, serving
from bench.load.generator import Target
from bench.names import (
    COUNTER,
    COUNTING,
    FRONT_END,
    FRONT_END_FLOAT32,
    LOCAL_SERVER,
    MODEL,
    contender_name,
)
from bench.photos import MEGAPIXEL, PHONE, SQUARE, jpeg
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import to_proto
from tests.support.servers import (
    HOST,
    ROOT,
    SHIPPED_FLAGS,
    START_SECONDS,
    ModelServer,
    free_port,
    wait_until,
)
from tests.webapp.server import FrontEnd

PHOTOS = {"224 px": SQUARE, "1 megapixel": MEGAPIXEL, "12 megapixels": PHONE}
COMPARED = ("224 px", "1 megapixel")
"""The photos that the original design and the peers are compared on."""
_BOUNDARY = "a-line-that-no-photo-has"


@dataclass
class Systems:
    """All running systems; a context manager that ends them.

    Attributes:
        folder: holds the files of `bench.contenders.weights` and the bodies of the requests.
        image: uint8 [1,224,224,3], the tensor that a front end makes from the photo.
        contenders: the rows of the table, each with its request.
        systems: the systems that run on this machine.
        version: the number of the model version that answers.
        bfloat16: whether `start.sh` makes our servers compute in bfloat16 on this machine.
    """

    folder: Path
    image: np.ndarray[Any, np.dtype[np.uint8]]
    contenders: list[Contender] = field(default_factory=list)
    systems: list[System] = field(default_factory=list)
    version: int = 0
    bfloat16: bool = field(default_factory=lambda: bool(_precision()))
    _later: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Systems:
        return self

    def __exit__(self, *_: object) -> None:
        self._later.close()

    def start_ours(self) -> None:
        """Starts the local server, asked over both protocols, and a front end that uses it."""
        server, local = self._start_server(LOCAL_SERVER, _precision())
        self.version = max(server.states(MODEL))
        self._add(f"{LOCAL_SERVER}, gRPC, tensor", [local], self.by_grpc(server.grpc_url))
        self._add(f"{LOCAL_SERVER}, REST, 224 px JPEG in base64", [local], self._by_rest(server))
        self._start_front_end(FRONT_END, server.grpc_url, [local], PHOTOS)

    def start_float32(self) -> None:
        """Starts both tiers a second time, without bfloat16."""
        server, local = self._start_server(f"{LOCAL_SERVER} in float32", [])
        self._start_front_end(FRONT_END_FLOAT32, server.grpc_url, [local], COMPARED)

    def start_counting(self) -> None:
        """Starts a front end that counts bills."""
        server = self.contenders[0]
        settings = {"US_BILLS_COUNTER": COUNTER}
        self._start_front_end(COUNTING, server.target.url, server.systems, COMPARED, **settings)

    def start_peers(self) -> None:
        """Starts the servers of `PEERS`."""
        for name in PEERS:
            started, port = time.monotonic(), free_port()
            process = self._later.enter_context(serving(name, self.folder, port))
            url = f"http://{HOST}:{port}/predict"
            _wait(name, partial(_takes, self.upload(url, SQUARE)))
            system = self._system(name, process, started)
            for photo in COMPARED:
                target = self.upload(url, PHOTOS[photo])
                self._add(contender_name(name, photo), [system], target, slow=True)

    def start_original(self) -> None:
        """Starts the original design with the same weights."""
        started, port = time.monotonic(), free_port()
        process = self._later.enter_context(_python("bench.contenders.original", self.folder, port))
        _wait("the original design", partial(_answers, f"http://{HOST}:{port}/ready"))
        system = self._system("original design", process, started)
        for photo in COMPARED:
            target = Target(
                f"http://{HOST}:{port}/predict", self._in_json(PHOTOS[photo]), "application/json"
            )
            self._add(f"original design, {photo} JPEG in base64", [system], target, slow=True)

    def meet(self, address: str) -> None:
        """Adds a TensorFlow Serving that runs at `address` (gRPC), and a front end that uses it."""
        self._add("TensorFlow Serving, gRPC, tensor", [], self.by_grpc(f"grpc://{address}"))
        name = f"{FRONT_END} before TensorFlow Serving"
        self._start_front_end(name, f"grpc://{address}", [], PHOTOS)

    def _start_server(self, name: str, precision: Sequence[str]) -> tuple[ModelServer, System]:
        started, flags = time.monotonic(), [*SHIPPED_FLAGS, *precision]
        server = self._later.enter_context(ModelServer(self.folder / name, flags, wait_for=[MODEL]))
        return server, self._system(name, server.process, started)

    def _start_front_end(
        self,
        name: str,
        model_server: str,
        behind: list[System],
        photos: Iterable[str],
        **settings: str,
    ) -> None:
        started = time.monotonic()
        front = self._later.enter_context(FrontEnd(model_server, **settings))
        front.wait_for("/readyz", 200)
        system = self._system(name, front.process, started)
        for photo in photos:
            target = self.upload(f"{front.url}/predict", PHOTOS[photo])
            self._add(contender_name(name, photo), [system, *behind], target)

    def by_grpc(self, url: str, batch: int = 1) -> Target:
        """Returns a `Predict` request with a batch of the image."""
        request = pb.PredictRequest(model_spec=pb.ModelSpec(name=MODEL))
        request.inputs["image"].CopyFrom(to_proto(np.repeat(self.image, batch, axis=0)))
        return Target(url, self.file(f"{batch}.message", request.SerializeToString()))

    def upload(self, url: str, size: tuple[int, int]) -> Target:
        """Returns an upload of a photo as the file of a form, as browsers and `curl -F` send it."""
        head = (
            f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
            'Content-Disposition: form-data; name="image"; filename="photo.jpg"\r\n\r\n'
        )
        body = head.encode() + jpeg(size) + f"\r\n--{_BOUNDARY}--\r\n".encode()
        content_type = f"multipart/form-data; boundary={_BOUNDARY}"
        return Target(url, self.file(f"{size[0]}.form", body), content_type)

    def file(self, name: str, content: bytes) -> str:
        """Writes a request body to a file for the generator, and returns the file's path."""
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
        self.contenders.append(Contender(name, systems, target, slow))


@contextmanager
def _python(module: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT)  # noqa: S603
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _precision() -> list[str]:
    """Returns the flag that `make run` adds on this machine, if any."""
    script = ROOT / "serving" / "config" / "start.sh"
    return subprocess.check_output(["bash", script, "echo"], text=True).split()  # noqa: S603, S607


def _wait(name: str, is_ready: Callable[[], bool]) -> None:
    for _ in wait_until(name, time.monotonic() + START_SECONDS):
        if is_ready():
            return


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


def _takes(target: Target) -> bool:
    headers = {"Content-Type": target.content_type}
    body = Path(target.body).read_bytes()
    try:
        return requests.post(target.url, body, headers=headers, timeout=5).ok
    except (requests.ConnectionError, requests.Timeout):
        return False
