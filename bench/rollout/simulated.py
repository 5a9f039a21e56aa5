"""Many simulated model servers in one process: the local server's code without port and model.

A stand-in for the network passes the calls of the real client to the server's request handlers.
Loading a version only waits; a version answers with its own number.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import grpc
import numpy as np

from serving.client import GrpcClient
from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import StatusError
from serving.local.grpc.answers import Answer, Caller, Services
from serving.local.inference.dataplane import DataPlane
from serving.local.lifecycle.manager import Manager
from serving.local.lifecycle.versions import Versions
from serving.local.metrics import Metrics
from serving.local.runtime.saved_model import Servable
from serving.local.settings import Settings
from serving.rollout.remote.server import ModelServer
from serving.wire import messages_pb2 as pb
from serving.wire.methods import DEFAULT_SIGNATURE, PREDICT_METHOD
from serving.wire.tensors import Array

_PEER = "ipv4:127.0.0.1:1"


class CallError(grpc.RpcError):
    """The error that gRPC raises for a call that ends with an error code."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        """The code."""
        return self._code

    def details(self) -> str:
        """The text."""
        return self._details


class Numbered:
    """A version that answers with its number."""

    def __init__(self, version: int) -> None:
        self._answer = np.array([version], np.float32)
        row = pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=-1)])
        signature = pb.SignatureDef(method_name=PREDICT_METHOD)
        signature.inputs["x"].CopyFrom(
            pb.TensorInfo(name="x:0", dtype=pb.DT_FLOAT, tensor_shape=row)
        )
        signature.outputs["y"].CopyFrom(
            pb.TensorInfo(name="y:0", dtype=pb.DT_FLOAT, tensor_shape=row)
        )
        self.signatures: Mapping[str, pb.SignatureDef] = {DEFAULT_SIGNATURE: signature}

    def run(
        self,
        feeds: Mapping[str, Array],
        fetches: Sequence[str],
        deadline: Deadline = NO_DEADLINE,
    ) -> list[Array]:
        """Returns the number for every request."""
        return [self._answer]

    def close(self) -> None:
        """Nothing to free."""


@dataclass
class SimulatedServer:
    """A model server that can be killed, started again, and made to hang.

    Attributes:
        url: its address.
        settings: its flags; ports are not opened.
        load_seconds: returns how long a version takes to load; called for each load.
        deadly: a version whose loading kills the server.
    """

    url: str
    settings: Settings
    load_seconds: Callable[[], float] = lambda: 0.0
    deadly: int | None = None
    silent_until: float = 0.0
    starts: int = 0
    _answers: dict[str, Answer] | None = field(default=None, init=False)
    _manager: Manager | None = field(default=None, init=False)

    @property
    def listens(self) -> bool:
        """Whether calls are answered."""
        return self._answers is not None

    @property
    def is_silent(self) -> bool:
        """Whether it hangs."""
        return time.monotonic() < self.silent_until

    def start(self) -> threading.Thread:
        """Starts like a process: it listens once its versions are loaded. Returns the thread."""
        self.starts += 1
        versions, metrics = Versions(), Metrics()
        manager = Manager(versions, self._load, self.settings, metrics)
        self._manager = manager

        def run() -> None:
            manager.start()
            if self._manager is manager:
                plane = DataPlane(versions, metrics)
                self._answers = Services(plane, manager, self.settings, metrics).answers()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def kill(self) -> None:
        """Ends the server immediately; the calls in progress fail."""
        manager, self._manager, self._answers = self._manager, None, None
        if manager is not None:
            manager.stop()

    def hang(self, seconds: float) -> None:
        """Makes the server answer nothing for `seconds`."""
        self.silent_until = time.monotonic() + seconds

    def call(self, method: str, request: bytes, timeout: float) -> bytes:
        """Answers a call.

        Raises:
            CallError: the error of the server, or of the network if the server does not listen.
        """
        answers = self._answers
        silent = self.silent_until - time.monotonic()
        if answers is not None and silent > 0:
            time.sleep(min(silent, timeout))
            raise CallError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        if answers is None:
            raise CallError(grpc.StatusCode.UNAVAILABLE, "connection refused")
        answer, caller = answers[method], Caller(Deadline.after(1000 * timeout), _PEER)
        try:
            reply = answer.give(answer.request_type.FromString(request), caller)
        except StatusError as error:
            raise CallError(grpc.StatusCode[error.code.name], error.message) from error
        if self._answers is not answers:
            raise CallError(grpc.StatusCode.UNAVAILABLE, "connection reset")
        return reply.SerializeToString()

    def _load(self, path: Path) -> Servable:
        version, manager = int(path.name), self._manager
        end = time.monotonic() + self.load_seconds()
        while time.monotonic() < end and self._manager is manager:
            time.sleep(0.05)
        if version == self.deadly:
            self.kill()
        return Numbered(version)


class Network:
    """Carries calls to servers by their URLs, and counts them."""

    def __init__(self, servers: Sequence[SimulatedServer], seconds: float = 0.0) -> None:
        """Connects to `servers`; a call's round trip takes `seconds`."""
        self.calls = 0
        self._servers = {server.url: server for server in servers}
        self._seconds = seconds

    def connect(self, url: str, model: str) -> ModelServer:
        """Returns a rollout's client of one server."""
        return ModelServer(url, model, self.client(url))

    def client(self, url: str) -> GrpcClient:
        """Returns a client of one server."""
        return GrpcClient(cast("grpc.Channel", _Channel(self, url)))

    def call(self, url: str, method: str, request: bytes, timeout: float) -> bytes:
        """Carries one call; see `SimulatedServer.call`."""
        self.calls += 1
        time.sleep(self._seconds)
        return self._servers[url].call(method, request, timeout)


class _Channel:
    """The part of `grpc.Channel` that the client uses."""

    def __init__(self, network: Network, url: str) -> None:
        self._network, self._url = network, url

    def unary_unary(
        self, method: str, request_serializer: Any, response_deserializer: Any
    ) -> Callable[..., Any]:
        def call(request: Any, timeout: float, metadata: object = None) -> Any:
            sent = request_serializer(request)
            return response_deserializer(self._network.call(self._url, method, sent, timeout))

        return call

    def close(self) -> None:
        """Nothing to close."""
