"""REST, where gRPC is not to be had: JSON in column form."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any
from urllib.parse import quote

import requests
import requests.adapters
import urllib3.exceptions

from serving import tracing
from serving.client.interface import (
    CONNECT_SECONDS,
    UNKNOWN_LABEL,
    BadReply,
    DeadlineExceeded,
    InvalidRequest,
    NotServed,
    PendingPrediction,
    Prediction,
    ServingError,
    Unavailable,
    VersionStatus,
    require_one_choice,
)
from serving.client.json_tensors import array_of, predict_body
from serving.client.pending import PendingCall
from serving.client.tls import NO_TLS, Tls
from serving.wire import methods
from serving.wire.tensors import Array

_REST_CONNECTIONS = 64
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

    def __init__(self, base_url: str, tls: Tls = NO_TLS) -> None:
        self._models = f"{base_url.rstrip('/')}/v1/models"
        self._session = requests.Session()
        self._session.trust_env = False
        # Without files: the authorities that `requests` brings along, and no certificate.
        if tls.ca:
            self._session.verify = str(tls.ca)
        if tls.cert and tls.key:
            self._session.cert = (str(tls.cert), str(tls.key))
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=_REST_CONNECTIONS)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._single_outputs: dict[tuple[str, str], str] = {}
        # They are started as they are needed.
        self._threads = ThreadPoolExecutor(_REST_CONNECTIONS, "REST")

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
        require_one_choice(version, label)
        deadline = time.monotonic() + timeout
        path = _path(model, version, label)
        body = predict_body(signature, inputs)
        reply = self._call("POST", f"{path}:predict", deadline, body)
        values = _member(reply, "outputs")
        if not isinstance(values, dict) or values.keys() == {"b64"}:
            values = {self._single_output(path, signature, deadline): values}
        return Prediction({name: _array(value) for name, value in values.items()}, version)

    def begin_predict(
        self,
        model: str,
        inputs: Mapping[str, Array],
        *,
        signature: str = methods.DEFAULT_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 10.0,
    ) -> PendingPrediction:
        """See `Client.begin_predict`; a thread of its own waits for the answer."""
        require_one_choice(version, label)
        deadline = time.monotonic() + timeout

        def ask() -> Prediction:
            return self.predict(
                model,
                inputs,
                signature=signature,
                version=version,
                label=label,
                timeout=_left(deadline),
            )

        # The trace of the request goes with it.
        call = self._threads.submit(copy_context().run, ask)
        return PendingCall(call, Future.result)

    def signatures(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 2.0,
    ) -> set[str]:
        """See `Client.signatures`."""
        require_one_choice(version, label)
        return set(self._signatures(_path(model, version, label), time.monotonic() + timeout))

    def status(self, model: str, *, timeout: float = 2.0) -> list[VersionStatus]:
        """See `Client.status`."""
        reply = self._call("GET", _path(model, None, None), time.monotonic() + timeout)
        with _understood():
            return [_rest_status(entry) for entry in _member(reply, "model_version_status")]

    def close(self) -> None:
        """See `Client.close`."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    def _single_output(self, path: str, signature: str, deadline: float) -> str:
        """The name of a signature's only output, which the reply does not carry."""
        key = (path, signature)
        if key not in self._single_outputs:
            signatures = self._signatures(path, deadline)
            with _understood():
                self._single_outputs[key] = next(iter(signatures[signature]["outputs"]))
        return self._single_outputs[key]

    def _signatures(self, path: str, deadline: float) -> dict[str, Any]:
        reply = self._call("GET", f"{path}/metadata", deadline)
        with _understood():
            return dict(reply["metadata"]["signature_def"]["signature_def"])

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
            headers={"Content-Type": "application/json", **dict(tracing.carried())},
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
        return DeadlineExceeded(str(error)) if late else Unavailable(_reason(error))
    return BadReply(str(error))


def _reason(error: requests.ConnectionError) -> str:
    """What happened, without the pool and the retries that `requests` tells of."""
    cause = error.args[0] if error.args else error
    return str(getattr(cause, "reason", None) or cause)


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
    if message.startswith(UNKNOWN_LABEL):
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


def _array(value: Any) -> Array:
    with _understood():
        return array_of(value)
