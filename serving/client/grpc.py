"""gRPC, the front end's way: raw tensors, one connection.

Numpy is loaded by the first tensor: a rollback sends none, and should not wait for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError

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
from serving.client.pending import PendingCall
from serving.client.tls import Tls
from serving.wire import messages_pb2 as pb
from serving.wire import methods
from serving.wire import operations_pb2 as operations

if TYPE_CHECKING:
    from serving.wire.tensors import Array

# A server that ends takes the calls with it that it had begun. Asking a model changes nothing, so
# another server may be asked; under a lasting failure retries stop.
_RETRIES = {
    "methodConfig": [
        {
            "name": [{"service": methods.PREDICT.split("/")[1]}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.02s",
                "maxBackoff": "0.2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
}
# What is kept of a call to send it again; sixteen photos are 2.4 MB, for the counter 9.6 MB.
_RETRY_BYTES = 2**24
_GRPC_OPTIONS = (
    *methods.UNLIMITED_MESSAGES,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", int(1000 * CONNECT_SECONDS)),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_http_proxy", 0),
    # A name with several addresses, such as a headless service's: each server gets its share.
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.service_config", json.dumps(_RETRIES)),
    ("grpc.per_rpc_retry_buffer_size", _RETRY_BYTES),
)
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


class Description(NamedTuple):
    """A version that serves: its number, and its signatures by name."""

    version: int
    signatures: Mapping[str, pb.SignatureDef]


class GrpcClient:
    """Speaks gRPC over one kept channel, to one server or to several that stand for each other.

    gRPC itself sends a call again that never left this machine, and what is asked of a model also
    where its server went away: three times in all at most, within the call's time.
    """

    def __init__(
        self,
        target: str,
        tls: Tls | None = None,
        certified: str = "",
        channel: grpc.Channel | None = None,
    ) -> None:
        """Connects at the first call.

        Args:
            target: `host:port`, or another form that gRPC has.
            tls: None for plain text.
            certified: the name that the server's certificate must have, where it is not the host.
            channel: what carries the calls in place of the network.

        Raises:
            OSError: a file of `tls` cannot be read.
        """
        self._channel = channel or _channel(target, tls, certified)
        self._predict = self._method(methods.PREDICT, pb.PredictResponse)
        self._metadata = self._method(methods.GET_MODEL_METADATA, pb.GetModelMetadataResponse)
        self._status = self._method(methods.GET_MODEL_STATUS, pb.GetModelStatusResponse)
        self._reload = self._method(methods.RELOAD_CONFIG, operations.ReloadConfigResponse)

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
        request = _predict_request(_spec(model, signature, version, label), inputs)
        with _grpc_errors():
            reply = self._predict(request, timeout=timeout, metadata=tracing.carried())
            return _prediction(reply)

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
        """See `Client.begin_predict`."""
        request = _predict_request(_spec(model, signature, version, label), inputs)
        call = self._predict.future(request, timeout=timeout, metadata=tracing.carried())
        return PendingCall(call, _result)

    def signatures(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 2.0,
    ) -> set[str]:
        """See `Client.signatures`."""
        return set(self.describe(model, version=version, label=label, timeout=timeout).signatures)

    def describe(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 2.0,
    ) -> Description:
        """Which version a label leads to, and what its signatures take and give.

        Args and errors are those of `Client.signatures`.
        """
        request = pb.GetModelMetadataRequest(
            model_spec=_spec(model, "", version, label), metadata_field=[methods.SIGNATURE_FIELD]
        )
        with _grpc_errors():
            reply = self._metadata(request, timeout=timeout)
            packed = reply.metadata[methods.SIGNATURE_FIELD].value
            signatures = pb.SignatureDefMap.FromString(packed).signature_def
        return Description(reply.model_spec.version.value, signatures)

    def reload(self, config: pb.ModelServerConfig, *, timeout: float = 10.0) -> None:
        """Gives the server another configuration in place of all that it had.

        Models that stay are loaded and unloaded in the server's own time, later than this returns;
        labels move at once (recorded cases 500 to 552).

        Raises:
            ServingError: one of its kinds; `InvalidRequest` where the configuration is refused.
        """
        with _grpc_errors():
            self._reload(operations.ReloadConfigRequest(config=config), timeout=timeout)

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


def _channel(target: str, tls: Tls | None, certified: str) -> grpc.Channel:
    if tls is None:
        return grpc.insecure_channel(target, options=_GRPC_OPTIONS)
    name = (("grpc.ssl_target_name_override", certified),) if certified else ()
    return grpc.secure_channel(target, _credentials(tls), options=(*_GRPC_OPTIONS, *name))


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    files = (tls.ca, tls.key, tls.cert)
    return grpc.ssl_channel_credentials(*(file.read_bytes() if file else None for file in files))


def _predict_request(spec: pb.ModelSpec, inputs: Mapping[str, Array]) -> pb.PredictRequest:
    import numpy as np

    from serving.wire.tensors import to_proto

    request = pb.PredictRequest(model_spec=spec)
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(to_proto(np.asarray(array)))
    return request


def _result(call: Any) -> Prediction:
    with _grpc_errors():
        return _prediction(call.result())


def _prediction(reply: pb.PredictResponse) -> Prediction:
    from serving.wire.tensors import from_proto

    outputs = {name: from_proto(tensor) for name, tensor in reply.outputs.items()}
    return Prediction(outputs, reply.model_spec.version.value)


def _spec(model: str, signature: str, version: int | None, label: str | None) -> pb.ModelSpec:
    require_one_choice(version, label)
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
    if details.startswith(UNKNOWN_LABEL):
        return NotServed(details)
    kind = _GRPC_ERRORS.get(error.code(), BadReply)
    return kind(details or error.code().name)
