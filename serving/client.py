"""Asks a model server, TensorFlow Serving or the local one, over gRPC or REST.

    client = connect("grpc://127.0.0.1:8500")
    prediction = client.predict("us_bills", {"image": images}, label="stable")
    prediction.outputs["classes"][0, 0]  # b"20"

What can go wrong, one tree for both protocols:

    ServingError
    ├── InvalidRequest      the model or its signature does not accept what was sent
    ├── NotServed           no such model, version or label is served
    ├── Unavailable         the server cannot be reached, or has too much to do
    ├── DeadlineExceeded    no answer within the time given
    └── BadReply            anything else, also an answer that cannot be understood

A client is safe to use from many threads and keeps its connections; make it after a fork, not
before. It never imports TensorFlow.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import grpc
import numpy as np
import requests
import requests.adapters
import urllib3.exceptions
from google.protobuf.message import DecodeError

from serving.wire import messages_pb2 as pb
from serving.wire import methods
from serving.wire.tensors import Array, from_proto, to_proto

__all__ = [
    "BadReply",
    "Client",
    "DeadlineExceeded",
    "GrpcClient",
    "InvalidRequest",
    "NotServed",
    "Prediction",
    "RestClient",
    "ServingError",
    "Unavailable",
    "VersionStatus",
    "connect",
]

CONNECT_SECONDS = 1.0
"""How long to wait for a connection; a server that is there accepts within milliseconds."""

_GRPC_OPTIONS = (
    *methods.UNLIMITED_MESSAGES,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", int(1000 * CONNECT_SECONDS)),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_http_proxy", 0),
)
_UNKNOWN_LABEL = "Unrecognized servable version label"
_REST_CONNECTIONS = 64


class ServingError(Exception):
    """A model server gave no usable answer."""


class InvalidRequest(ServingError):  # noqa: N818 - reads as what it is at the place it is caught
    """The model or its signature does not accept what was sent."""


class NotServed(ServingError):  # noqa: N818
    """No such model, version or label is served."""


class Unavailable(ServingError):  # noqa: N818
    """The server cannot be reached, or has too much to do."""


class DeadlineExceeded(ServingError):  # noqa: N818
    """No answer within the time given."""


class BadReply(ServingError):  # noqa: N818
    """The server failed, or its answer cannot be understood."""


@dataclass(frozen=True)
class Prediction:
    """An answer.

    Attributes:
        outputs: arrays by output name; strings as object arrays of `bytes`.
        version: the version that answered; None over REST where none was asked for by number,
            since that protocol does not say.
    """

    outputs: dict[str, Array]
    version: int | None


@dataclass(frozen=True)
class VersionStatus:
    """One version of a model: START, LOADING, AVAILABLE, UNLOADING or END, and why."""

    version: int
    state: str
    error_code: str
    error_message: str


class Client(Protocol):
    """What a model server can be asked, whatever the protocol."""

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Array],
        *,
        signature: str = methods.DEFAULT_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 10.0,
    ) -> Prediction:
        """Runs a signature.

        Args:
            model: name of the model.
            inputs: arrays by input name, of the signature's dtypes; strings as object arrays.
            signature: which signature of the model.
            version: a version number; the latest where neither version nor label is given.
            label: a version label, in place of a number.
            timeout: seconds for the whole call.

        Raises:
            ServingError: one of its kinds.
            ValueError: version and label were both given.
        """
        ...

    def status(self, model: str, *, timeout: float = 2.0) -> list[VersionStatus]:
        """All versions of a model that the server has seen, newest first.

        Raises:
            ServingError: one of its kinds; `NotServed` for an unknown model.
        """
        ...

    def close(self) -> None:
        """Closes the connections."""
        ...


def connect(url: str) -> Client:
    """Makes the client for a URL; the connection is made by the first call.

    Args:
        url: `grpc://host:port`, `http://host:port` or `https://host:port`.

    Raises:
        ValueError: the URL is of no such form.
    """
    try:
        parts = urlsplit(url)
        complete = bool(parts.hostname and parts.port) and parts.path in ("", "/")
    except ValueError:
        complete = False
    if complete and parts.scheme == "grpc":
        return GrpcClient(parts.netloc)
    if complete and parts.scheme in ("http", "https"):
        return RestClient(f"{parts.scheme}://{parts.netloc}")
    raise ValueError(
        "Unrecognized URL of a model server. "
        f"Expected: grpc://host:port or http(s)://host:port. Received: {url!r}"
    )


# ---- gRPC ----

_GRPC_ERRORS: dict[grpc.StatusCode, type[ServingError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.FAILED_PRECONDITION: InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotServed,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}
_CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


class GrpcClient:
    """Speaks gRPC over one kept channel.

    Nothing is retried here: gRPC itself sends a call again that never left this machine.
    """

    def __init__(self, target: str) -> None:
        self._channel = grpc.insecure_channel(target, options=_GRPC_OPTIONS)
        self._predict = self._method(methods.PREDICT, pb.PredictResponse)
        self._status = self._method(methods.GET_MODEL_STATUS, pb.GetModelStatusResponse)

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Array],
        *,
        signature: str = methods.DEFAULT_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 10.0,
    ) -> Prediction:
        """See `Client.predict`."""
        _require_one_choice(version, label)
        request = pb.PredictRequest(model_spec=_spec(model, signature, version, label))
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(to_proto(np.asarray(array)))
        with _grpc_errors():
            reply = self._predict(request, timeout=timeout)
            outputs = {name: from_proto(tensor) for name, tensor in reply.outputs.items()}
        return Prediction(outputs, reply.model_spec.version.value)

    def status(self, model: str, *, timeout: float = 2.0) -> list[VersionStatus]:
        """See `Client.status`."""
        request = pb.GetModelStatusRequest(model_spec=pb.ModelSpec(name=model))
        with _grpc_errors():
            reply = self._status(request, timeout=timeout)
        return [_version_status(status) for status in reply.model_version_status]

    def close(self) -> None:
        """See `Client.close`."""
        self._channel.close()

    def _method(self, path: str, reply_type: Any) -> Any:
        return self._channel.unary_unary(
            path,
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=reply_type.FromString,
        )


def _spec(model: str, signature: str, version: int | None, label: str | None) -> pb.ModelSpec:
    spec = pb.ModelSpec(name=model, signature_name=signature)
    if version is not None:
        spec.version.value = version
    if label is not None:
        spec.version_label = label
    return spec


def _version_status(status: pb.ModelVersionStatus) -> VersionStatus:
    return VersionStatus(
        version=status.version,
        state=pb.ModelVersionStatus.State.Name(status.state),
        error_code=_CODE_NAMES.get(status.status.error_code, "UNKNOWN"),
        error_message=status.status.error_message,
    )


@contextmanager
def _grpc_errors() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise _grpc_error(error) from error
    except (ValueError, DecodeError) as error:
        raise BadReply(f"The reply cannot be understood: {error}") from error


def _grpc_error(error: Any) -> ServingError:
    details = error.details() or ""
    if details.startswith(_UNKNOWN_LABEL):
        return NotServed(details)
    kind = _GRPC_ERRORS.get(error.code(), BadReply)
    return kind(details or error.code().name)


# ---- REST ----

_REST_ERRORS: dict[int, type[ServingError]] = {
    400: InvalidRequest,
    404: NotServed,
    429: Unavailable,
    503: Unavailable,
    504: DeadlineExceeded,
}
# A kept connection that the server closed in the meantime shows itself in one of these.
_STALE = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


class RestClient:
    """Speaks REST over kept connections, predictions in column form.

    A call is sent a second time only where its kept connection turns out to be closed.
    """

    def __init__(self, base_url: str) -> None:
        self._models = f"{base_url.rstrip('/')}/v1/models"
        self._session = requests.Session()
        self._session.trust_env = False
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=_REST_CONNECTIONS)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._single_outputs: dict[tuple[str, str], str] = {}

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Array],
        *,
        signature: str = methods.DEFAULT_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 10.0,
    ) -> Prediction:
        """See `Client.predict`."""
        _require_one_choice(version, label)
        deadline = time.monotonic() + timeout
        path = _path(model, version, label)
        columns = {name: _jsonable(np.asarray(array)) for name, array in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode()
        reply = self._call("POST", f"{path}:predict", deadline, body)
        values = _member(reply, "outputs")
        if not isinstance(values, dict) or values.keys() == {"b64"}:
            values = {self._single_output(path, signature, deadline): values}
        return Prediction({name: _array(value) for name, value in values.items()}, version)

    def status(self, model: str, *, timeout: float = 2.0) -> list[VersionStatus]:
        """See `Client.status`."""
        reply = self._call("GET", _path(model, None, None), time.monotonic() + timeout)
        with _understood():
            return [_rest_status(entry) for entry in _member(reply, "model_version_status")]

    def close(self) -> None:
        """See `Client.close`."""
        self._session.close()

    def _single_output(self, path: str, signature: str, deadline: float) -> str:
        """The name of a signature's only output, which the reply does not carry."""
        key = (path, signature)
        if key not in self._single_outputs:
            reply = self._call("GET", f"{path}/metadata", deadline)
            with _understood():
                signatures = reply["metadata"]["signature_def"]["signature_def"]
                self._single_outputs[key] = next(iter(signatures[signature]["outputs"]))
        return self._single_outputs[key]

    def _call(self, method: str, path: str, deadline: float, body: bytes | None = None) -> Any:
        url = self._models + path
        try:
            status, content = self._send(method, url, deadline, body)
        except requests.ConnectionError as error:
            if not _is_stale(error):
                raise _unreachable(error, deadline) from error
            status, content = self._send_again(method, url, deadline, body)
        except requests.RequestException as error:
            raise _unreachable(error, deadline) from error
        return _understand(status, content)

    def _send_again(
        self, method: str, url: str, deadline: float, body: bytes | None
    ) -> tuple[int, bytes]:
        try:
            return self._send(method, url, deadline, body)
        except requests.RequestException as error:
            raise _unreachable(error, deadline) from error

    def _send(
        self, method: str, url: str, deadline: float, body: bytes | None
    ) -> tuple[int, bytes]:
        left = _left(deadline)
        with self._session.request(
            method,
            url,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=(min(CONNECT_SECONDS, left), left),
            allow_redirects=False,
            stream=True,
        ) as reply:
            return reply.status_code, _read(reply, deadline)


def _read(reply: requests.Response, deadline: float) -> bytes:
    """Reads a body; a server that trickles cannot outlast the deadline."""
    pieces = []
    for piece in reply.iter_content(2**16):
        _left(deadline)
        pieces.append(piece)
    return b"".join(pieces)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("No answer within the time given.")
    return left


def _is_stale(error: requests.ConnectionError) -> bool:
    cause = error.args[0] if error.args else None
    if not isinstance(cause, urllib3.exceptions.ProtocolError):
        return False
    return any(isinstance(reason, _STALE) for reason in cause.args)


def _unreachable(error: requests.RequestException, deadline: float) -> ServingError:
    late = time.monotonic() >= deadline
    if isinstance(error, requests.ReadTimeout) or (isinstance(error, requests.Timeout) and late):
        return DeadlineExceeded("No answer within the time given.")
    if isinstance(error, requests.ConnectionError):
        # A body that stalls is reported by requests as a connection error.
        return DeadlineExceeded(str(error)) if late else Unavailable(str(error))
    return BadReply(str(error))


def _understand(status: int, content: bytes) -> Any:
    try:
        reply = json.loads(content.decode("utf-8", "surrogateescape"))
    except ValueError:
        reply = None
    if status == 200 and isinstance(reply, dict):
        return reply
    if not isinstance(reply, dict) or not isinstance(reply.get("error"), str):
        kind = _REST_ERRORS.get(status, BadReply) if status in (429, 503, 504) else BadReply
        raise kind(f"HTTP {status} with an unexpected body: {content[:200]!r}")
    message = reply["error"]
    if message.startswith(_UNKNOWN_LABEL):
        raise NotServed(message)
    raise _REST_ERRORS.get(status, BadReply)(message)


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise BadReply(f"The reply cannot be understood: {error!r}") from error


def _member(reply: dict[str, Any], name: str) -> Any:
    if name not in reply:
        raise BadReply(f"The reply has no {name!r}.")
    return reply[name]


def _rest_status(entry: dict[str, Any]) -> VersionStatus:
    status = entry["status"]
    return VersionStatus(
        version=int(entry["version"]),
        state=str(entry["state"]),
        error_code=str(status["error_code"]),
        error_message=str(status["error_message"]),
    )


def _path(model: str, version: int | None, label: str | None) -> str:
    path = f"/{quote(model, safe='')}"
    if version is not None:
        path += f"/versions/{version}"
    if label is not None:
        path += f"/labels/{quote(label, safe='')}"
    return path


def _jsonable(array: Array) -> Any:
    if array.dtype.kind not in "SUO":
        return array.tolist()
    texts = np.frompyfunc(_json_string, 1, 1)(array.astype(np.object_))
    return texts.tolist() if isinstance(texts, np.ndarray) else texts


def _json_string(value: str | bytes) -> str | dict[str, str]:
    return value if isinstance(value, str) else {"b64": b64encode(value).decode()}


def _array(value: Any) -> Array:
    """JSON to an array: float32, int64, bool, or object for strings."""
    with _understood():
        array = np.array(value, np.object_)
        kinds: set[type] = {type(item) for item in array.flat}
        if kinds & {str, dict}:
            return np.asarray(np.frompyfunc(_bytes, 1, 1)(array), np.object_)
        if kinds == {bool}:
            return array.astype(np.bool_)
        return array.astype(np.int64 if kinds == {int} else np.float32)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return b64decode(value["b64"])


def _require_one_choice(version: int | None, label: str | None) -> None:
    if version is not None and label is not None:
        raise ValueError(f"Expected a version or a label. Received: {version} and {label!r}.")
