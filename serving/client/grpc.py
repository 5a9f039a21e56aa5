"""The gRPC client of the front end and of rollouts: raw tensors, one channel.

The first tensor imports numpy: a rollback sends no tensors, and should not wait for the import.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError

from serving import tracing
from serving.client.interface import (
    UNKNOWN_LABEL,
    BadReply,
    Client,
    DeadlineExceeded,
    InvalidRequest,
    NotServed,
    PendingPrediction,
    PredictCall,
    Prediction,
    ServingError,
    Unavailable,
    VersionStatus,
    require_one_choice,
)
from serving.client.pending import PendingCall
from serving.wire import messages_pb2 as pb
from serving.wire import methods
from serving.wire import operations_pb2 as operations

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


class GrpcClient(Client):
    """Speaks gRPC over one channel, to one server or to several interchangeable servers.

    gRPC itself retries a call that never left this machine, and a prediction also when its server
    went away: at most three attempts in all, within the call's timeout.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        """Uses a channel that `open_channel` has made; `close` closes the channel."""
        self._channel = channel
        self._run = self._method(methods.PREDICT, pb.PredictResponse)
        self._metadata = self._method(methods.GET_MODEL_METADATA, pb.GetModelMetadataResponse)
        self._status = self._method(methods.GET_MODEL_STATUS, pb.GetModelStatusResponse)
        self._reload = self._method(methods.RELOAD_CONFIG, operations.ReloadConfigResponse)

    def _predict(self, call: PredictCall) -> Prediction:
        request = _predict_request(call)
        with _grpc_errors():
            reply = self._run(request, timeout=call.timeout, metadata=tracing.carried())
            return _prediction(reply)

    def _begin(self, call: PredictCall) -> PendingPrediction:
        request = _predict_request(call)
        future = self._run.future(request, timeout=call.timeout, metadata=tracing.carried())
        return PendingCall(future, _result)

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
        """Returns the version that a number or label leads to, and its signatures.

        Args and errors are those of `Client.signatures`.
        """
        require_one_choice(version, label)
        request = pb.GetModelMetadataRequest(
            model_spec=_spec(model, "", version, label), metadata_field=[methods.SIGNATURE_FIELD]
        )
        with _grpc_errors():
            reply = self._metadata(request, timeout=timeout)
            packed = reply.metadata[methods.SIGNATURE_FIELD].value
            signatures = pb.SignatureDefMap.FromString(packed).signature_def
        return Description(reply.model_spec.version.value, signatures)

    def reload(self, config: pb.ModelServerConfig, *, timeout: float = 10.0) -> None:
        """Replaces the server's whole configuration.

        For models that stay, the server loads and unloads versions after this call has returned;
        labels move immediately (recorded cases 500 to 552).

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


def _predict_request(call: PredictCall) -> pb.PredictRequest:
    import numpy as np

    from serving.wire.tensors import to_proto

    spec = _spec(call.model, call.signature, call.version, call.label)
    request = pb.PredictRequest(model_spec=spec)
    for name, array in call.inputs.items():
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
