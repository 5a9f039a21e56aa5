"""One model server, TensorFlow Serving or local, which rollouts configure and query over gRPC."""

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

TRANSIENT_ERRORS = (Unavailable, DeadlineExceeded)
"""Errors of calls to a server that restarts or is overloaded, and may answer soon."""

RELOAD_SECONDS = 10.0
_PREDICT_SECONDS = 30.0


class ModelServer:
    """One model of one server."""

    def __init__(self, url: str, model: str, client: GrpcClient) -> None:
        """Sets the server's model; `url` names the server in messages."""
        self.url = url
        self._model = model
        self._client = client

    def states(self, model: str | None = None) -> dict[int, VersionStatus]:
        """Returns the status of each version that the server has seen, of this or another model.

        Raises:
            ServingError: the server cannot be asked.
        """
        try:
            return {status.version: status for status in self._client.status(model or self._model)}
        except NotServed:
            return {}

    def version_of(self, label: str, model: str | None = None) -> int | None:
        """Returns the version that a label of this or another model leads to, or None.

        The protocol has no list of labels, so this asks for the signatures behind the label.
        """
        try:
            return self._client.describe(model or self._model, label=label).version
        except NotServed:
            return None

    def reload(self, config: pb.ModelServerConfig, timeout: float = RELOAD_SECONDS) -> None:
        """See `GrpcClient.reload`."""
        self._client.reload(config, timeout=timeout)

    def bring_to(self, config: pb.ModelServerConfig, timeout: float = RELOAD_SECONDS) -> str | None:
        """Sends a configuration, or the nearest one that the server accepts now.

        A server that started with an older file may lack the version that a label should move to,
        of this model or another one. It is told to load that version in addition to those that
        serve; a later call moves the label.

        Returns:
            None once the server has the configuration; else a text about what it loads first.

        Raises:
            ServingError: the server cannot be reached, or refuses for another reason.
        """
        try:
            self.reload(config, timeout)
        except InvalidRequest:
            now = pb.ModelServerConfig()
            now.CopyFrom(config)
            late = [words for e in now.model_config_list.config if (words := self._on_the_way(e))]
            # If none is late, the server has loaded all by now, or refuses for another reason.
            self.reload(now, timeout)
            return f"it loads {' and '.join(late)} first" if late else None
        return None

    def _on_the_way(self, entry: pb.ModelConfig) -> str | None:
        """Changes a model's entry to add wanted versions to serving ones, if a label must wait.

        A label stays until its version serves. Returns a text about the awaited versions, or None.
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
        """Returns the names of a loaded version's signatures."""
        return self._client.signatures(self._model, version=version)

    def zeros(self, version: int) -> dict[str, Array]:
        """Returns an array of zeros for each input of the default signature, with batch size 1."""
        described = self._client.describe(self._model, version=version)
        inputs = described.signatures[DEFAULT_SIGNATURE].inputs
        return {name: _zeros(info) for name, info in inputs.items()}

    def predict(
        self, version: int, inputs: dict[str, Array], signature: str = DEFAULT_SIGNATURE
    ) -> Prediction:
        """Sends a version a prediction request; see `Client.predict`."""
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
    """Says whether a version answers requests."""
    return status is not None and status.state == "AVAILABLE"


def is_gone(error: ServingError) -> bool:
    """Says whether the server does not listen; an overloaded one refuses calls by another code."""
    code = getattr(error.__cause__, "code", None)
    return code is not None and code() is grpc.StatusCode.UNAVAILABLE


def _zeros(info: pb.TensorInfo) -> Array:
    """Returns zeros, which a tensor without values stands for; an open dimension becomes 1."""
    from serving.wire.tensors import from_proto

    proto = pb.TensorProto(dtype=info.dtype, tensor_shape=pb.TensorShapeProto())
    for dimension in info.tensor_shape.dim:
        proto.tensor_shape.dim.add(size=max(1, dimension.size))
    return from_proto(proto)
