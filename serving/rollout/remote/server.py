"""One model server, either kind, as rollouts need it: told by gRPC, and asked what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import grpc

from serving.client import (
    DeadlineExceeded,
    GrpcClient,
    InvalidRequest,
    NotServed,
    Prediction,
    ServingError,
    Unavailable,
    VersionStatus,
)
from serving.client.channel import open_channel
from serving.client.tls import Tls
from serving.wire import messages_pb2 as pb
from serving.wire.methods import DEFAULT_SIGNATURE

if TYPE_CHECKING:
    from serving.wire.tensors import Array

AWAY = (Unavailable, DeadlineExceeded)
"""What calls end with while a server starts again, or is short of breath: it may answer soon."""

RELOAD_SECONDS = 10.0
_PREDICT_SECONDS = 30.0


class ModelServer:
    """One model of one server."""

    def __init__(self, url: str, model: str, client: GrpcClient) -> None:
        """Names the model; `url` stands for the server in sentences."""
        self.url = url
        self._model = model
        self._client = client

    def states(self, model: str | None = None) -> dict[int, VersionStatus]:
        """What the server says of each version that it has seen, of this or of another model.

        Raises:
            ServingError: it cannot be asked.
        """
        try:
            return {status.version: status for status in self._client.status(model or self._model)}
        except NotServed:
            return {}

    def version_of(self, label: str, model: str | None = None) -> int | None:
        """The version that a label of this or another model leads to; None where none has it.

        The protocol has no list of labels, so this asks for the signatures behind one.
        """
        try:
            return self._client.describe(model or self._model, label=label).version
        except NotServed:
            return None

    def reload(self, config: pb.ModelServerConfig, timeout: float = RELOAD_SECONDS) -> None:
        """See `GrpcClient.reload`."""
        self._client.reload(config, timeout=timeout)

    def bring_to(self, config: pb.ModelServerConfig, timeout: float = RELOAD_SECONDS) -> str | None:
        """Tells a configuration, or the nearest one that the server takes now.

        A server that started with an older file has not loaded what a label is to move to, of this
        model or of another one. It is told to load that beside what it has; the label follows at a
        later call.

        Returns:
            None once the server has the configuration; else what it does first.

        Raises:
            ServingError: it cannot be told, or refuses for another reason.
        """
        try:
            self.reload(config, timeout)
        except InvalidRequest:
            now = pb.ModelServerConfig()
            now.CopyFrom(config)
            late = [words for e in now.model_config_list.config if (words := self._on_the_way(e))]
            # With none late it has loaded all by now, or it refuses for another reason, again.
            self.reload(now, timeout)
            return f"it loads {' and '.join(late)} first" if late else None
        return None

    def _on_the_way(self, entry: pb.ModelConfig) -> str | None:
        """Has a model be all that is wanted beside all that serves, where a label waits for that.

        A label stays until its version serves. Returns words about the versions that it waits for.
        """
        serving = {n for n, status in self.states(entry.name).items() if serves(status)}
        missing = set(entry.version_labels.values()) - serving
        if not missing:
            return None
        if entry.model_version_policy.HasField("specific"):
            named = entry.model_version_policy.specific.versions
            named[:] = sorted(serving.union(named))
        for label, version in list(entry.version_labels.items()):
            present = version if version in serving else self.version_of(label, entry.name)
            if present is None:
                del entry.version_labels[label]
            else:
                entry.version_labels[label] = present
        of = "" if entry.name == self._model else f" of {entry.name}"
        return f"version {', '.join(map(str, sorted(missing)))}{of}"

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


def client_of(url: str, tls: Tls, certified: str = "") -> GrpcClient:
    """The client for `grpc://host:port` or, with TLS, `grpcs://host:port`; see `open_channel`."""
    parts = urlsplit(url)
    encrypted = tls if parts.scheme == "grpcs" else None
    return GrpcClient(open_channel(parts.netloc, encrypted, certified))


def serves(status: VersionStatus | None) -> bool:
    """Whether a version answers."""
    return status is not None and status.state == "AVAILABLE"


def is_gone(error: ServingError) -> bool:
    """Whether nobody listens; a server with too much to do refuses calls by another code."""
    code = getattr(error.__cause__, "code", None)
    return code is not None and code() is grpc.StatusCode.UNAVAILABLE


def _zeros(info: pb.TensorInfo) -> Array:
    """A tensor without values stands for zeros; a dimension left open is 1."""
    from serving.wire.tensors import from_proto

    proto = pb.TensorProto(dtype=info.dtype, tensor_shape=pb.TensorShapeProto())
    for dimension in info.tensor_shape.dim:
        proto.tensor_shape.dim.add(size=max(1, dimension.size))
    return from_proto(proto)
