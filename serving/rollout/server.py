"""The model server, either kind, as rollouts need it: told by gRPC, and asked what it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from serving.client import (
    DeadlineExceeded,
    GrpcClient,
    NotServed,
    Prediction,
    Unavailable,
    VersionStatus,
)
from serving.rollout.errors import Refused
from serving.wire import messages_pb2 as pb
from serving.wire.methods import DEFAULT_SIGNATURE

if TYPE_CHECKING:
    from serving.wire.tensors import Array

AWAY = (Unavailable, DeadlineExceeded)
"""What calls end with while a server starts again, or is short of breath: it may answer soon."""

_LOOK_SECONDS = 0.1
_STALE_SECONDS = 3.0
_PREDICT_SECONDS = 30.0


class ModelServer:
    """One model of one server."""

    def __init__(self, url: str, model: str) -> None:
        """Connects at the first call.

        Raises:
            Refused: the URL is not of the form `grpc://host:port`; REST cannot reload.
        """
        parts = urlsplit(url)
        if parts.scheme != "grpc" or not parts.netloc:
            raise Refused(f"Expected --server to be grpc://host:port. Received: {url}.")
        self.url = url
        self._model = model
        self._client = GrpcClient(parts.netloc)

    def states(self) -> dict[int, VersionStatus]:
        """What the server says of each version that it has seen.

        Raises:
            ServingError: it cannot be asked.
        """
        try:
            return {status.version: status for status in self._client.status(self._model)}
        except NotServed:
            return {}

    def version_of(self, label: str) -> int | None:
        """The version that a label leads to; None where nobody answers to it.

        The protocol has no list of labels, so this asks for the signatures behind one.
        """
        try:
            return self._client.describe(self._model, label=label).version
        except NotServed:
            return None

    def reload(self, config: pb.ModelServerConfig) -> None:
        """See `GrpcClient.reload`."""
        self._client.reload(config)

    def wait_until_available(self, version: int, seconds: float) -> None:
        """Waits until a version serves; its warm-up requests have been replayed by then.

        Raises:
            Refused: it cannot be loaded, or is not within the time.
        """
        # What is said of an earlier load stays until the server has looked at the disk again.
        believed = time.monotonic() + _STALE_SECONDS

        def loaded(status: VersionStatus | None) -> bool:
            failed = status is not None and status.state == "END" and status.error_code != "OK"
            if status and failed and time.monotonic() > believed:
                raise Refused(f"The server cannot load it: {status.error_message}")
            return status is not None and status.state == "AVAILABLE"

        self._wait(version, loaded, f"It was not AVAILABLE within {seconds:g} s", seconds)

    def wait_until_gone(self, version: int, seconds: float) -> None:
        """Waits until a version is unloaded, which its last request delays.

        Raises:
            Refused: it is not within the time.
        """

        def gone(status: VersionStatus | None) -> bool:
            return status is None or status.state == "END"

        self._wait(version, gone, f"It was not unloaded within {seconds:g} s", seconds)

    def signatures(self, version: int) -> set[str]:
        """Names of a loaded version's signatures."""
        return self._client.signatures(self._model, version=version)

    def zeros(self, version: int) -> dict[str, Array]:
        """An input for each argument of the default signature: zeros, batch 1."""
        described = self._client.describe(self._model, version=version)
        inputs = described.signatures[DEFAULT_SIGNATURE].inputs
        return {name: _zeros(info) for name, info in inputs.items()}

    def predict(
        self, version: int, inputs: dict[str, Array], signature: str = DEFAULT_SIGNATURE
    ) -> Prediction:
        """Asks a version; see `Client.predict`."""
        return self._client.predict(
            self._model, inputs, signature=signature, version=version, timeout=_PREDICT_SECONDS
        )

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()

    def _wait(
        self,
        version: int,
        settled: Callable[[VersionStatus | None], bool],
        otherwise: str,
        seconds: float,
    ) -> None:
        """Waits, also through a restart of the server: only the time ends it."""
        deadline, last = time.monotonic() + seconds, ""
        while time.monotonic() < deadline:
            try:
                status = self.states().get(version)
                last = f"its state is {status.state if status else 'unknown to the server'}"
                if settled(status):
                    return
            except AWAY as error:
                last = str(error)
            time.sleep(_LOOK_SECONDS)
        raise Refused(f"{otherwise}: {last}.")


def _zeros(info: pb.TensorInfo) -> Array:
    """A tensor without values stands for zeros; a dimension left open is 1."""
    from serving.wire.tensors import from_proto

    proto = pb.TensorProto(dtype=info.dtype, tensor_shape=pb.TensorShapeProto())
    for dimension in info.tensor_shape.dim:
        proto.tensor_shape.dim.add(size=max(1, dimension.size))
    return from_proto(proto)
