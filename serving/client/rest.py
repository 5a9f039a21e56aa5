"""The REST client, for where gRPC is not available: JSON in column form."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any
from urllib.parse import quote

from serving.client.http import HttpConnections
from serving.client.interface import (
    BadReply,
    Client,
    PendingPrediction,
    PredictCall,
    Prediction,
    VersionStatus,
    require_one_choice,
)
from serving.client.json_tensors import array_of, predict_body
from serving.client.pending import PendingCall
from serving.client.tls import NO_TLS, Tls
from serving.wire.tensors import Array

_CONNECTIONS = 64


class RestClient(Client):
    """Speaks REST over kept connections, predictions in column form; see `HttpConnections`."""

    def __init__(self, base_url: str, tls: Tls = NO_TLS) -> None:
        self._http = HttpConnections(f"{base_url.rstrip('/')}/v1/models", tls, _CONNECTIONS)
        self._single_outputs: dict[tuple[str, str], str] = {}
        # The executor starts threads when they are needed.
        self._threads = ThreadPoolExecutor(_CONNECTIONS, "REST")

    def _predict(self, call: PredictCall) -> Prediction:
        return self._ask(call, time.monotonic() + call.timeout)

    def _begin(self, call: PredictCall) -> PendingPrediction:
        """Makes the call in a separate thread."""
        deadline = time.monotonic() + call.timeout
        # The copied context carries the request's trace.
        future = self._threads.submit(copy_context().run, self._ask, call, deadline)
        return PendingCall(future, Future.result)

    def _ask(self, call: PredictCall, deadline: float) -> Prediction:
        path = _path(call.model, call.version, call.label)
        body = predict_body(call.signature, call.inputs)
        reply = self._http.call("POST", f"{path}:predict", deadline, body)
        values = _member(reply, "outputs")
        if not isinstance(values, dict) or values.keys() == {"b64"}:
            values = {self._single_output(path, call.signature, deadline): values}
        return Prediction({name: _array(value) for name, value in values.items()}, call.version)

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
        reply = self._http.call("GET", _path(model, None, None), time.monotonic() + timeout)
        with _understood():
            return [_rest_status(entry) for entry in _member(reply, "model_version_status")]

    def close(self) -> None:
        """See `Client.close`."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def _single_output(self, path: str, signature: str, deadline: float) -> str:
        """Returns the name of a signature's only output, which the reply does not contain."""
        key = (path, signature)
        if key not in self._single_outputs:
            signatures = self._signatures(path, deadline)
            with _understood():
                self._single_outputs[key] = next(iter(signatures[signature]["outputs"]))
        return self._single_outputs[key]

    def _signatures(self, path: str, deadline: float) -> dict[str, Any]:
        reply = self._http.call("GET", f"{path}/metadata", deadline)
        with _understood():
            return dict(reply["metadata"]["signature_def"]["signature_def"])


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError, StopIteration) as error:
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
