"""The gRPC skin: PredictionService and ModelService over the data plane.

Handlers are registered under TensorFlow Serving's method names by hand, since our messages live in
a proto package of our own.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from serving.local.dataplane import Call, DataPlane
from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.predict import RequestTensors
from serving.local.versions import Choice
from serving.wire import messages_pb2 as pb
from serving.wire import methods
from serving.wire.tensors import to_proto

log = logging.getLogger(__name__)

MAX_WORKERS = 64
MAX_SECONDS = 24 * 3600


class GrpcServer:
    """Listens for gRPC calls."""

    def __init__(self, host: str, port: int, plane: DataPlane) -> None:
        """Binds the port.

        Raises:
            RuntimeError: the port is taken.
        """
        pool = futures.ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="gRPC")
        options = [*methods.UNLIMITED_MESSAGES, ("grpc.so_reuseport", 0)]
        self._server = grpc.server(pool, [_Services(plane)], options=options)
        self._server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    def start(self) -> None:
        """Starts to answer."""
        self._server.start()

    def stop(self, grace_seconds: float) -> None:
        """Refuses new calls and waits for those under way."""
        self._server.stop(grace_seconds).wait(grace_seconds + 1)


class _Services(grpc.GenericRpcHandler):
    def __init__(self, plane: DataPlane) -> None:
        self._methods: dict[str, Callable[[bytes, grpc.ServicerContext], Message]] = {
            methods.PREDICT: _method(pb.PredictRequest, _Predict(plane)),
            methods.GET_MODEL_METADATA: _method(pb.GetModelMetadataRequest, _Metadata(plane)),
            methods.GET_MODEL_STATUS: _method(pb.GetModelStatusRequest, _Status(plane)),
        }

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        behaviour = self._methods.get(details.method, _unimplemented)
        return grpc.unary_unary_rpc_method_handler(
            behaviour, response_serializer=lambda reply: reply.SerializeToString()
        )


class _Predict:
    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def __call__(self, request: pb.PredictRequest, timeout_ms: int) -> pb.PredictResponse:
        choice = _choice(request)
        name = request.model_spec.signature_name or methods.DEFAULT_SIGNATURE
        call = Call(name, RequestTensors(request.inputs), request.output_filter)
        answer = self._plane.predict(choice, lambda _: call, timeout_ms)
        reply = pb.PredictResponse(model_spec=_spec(choice.model, answer.version))
        reply.model_spec.signature_name = answer.signature_name
        for output, array in answer.outputs.items():
            reply.outputs[output].CopyFrom(to_proto(array, as_values=True))
        return reply


class _Metadata:
    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def __call__(
        self, request: pb.GetModelMetadataRequest, _timeout_ms: int
    ) -> pb.GetModelMetadataResponse:
        _require_signature_field(request)
        choice = _choice(request)
        version, signatures = self._plane.metadata(choice)
        reply = pb.GetModelMetadataResponse(model_spec=_spec(choice.model, version))
        field = reply.metadata[methods.SIGNATURE_FIELD]
        field.type_url = methods.SIGNATURE_DEF_MAP_URL
        field.value = signatures.SerializeToString()
        return reply


class _Status:
    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def __call__(
        self, request: pb.GetModelStatusRequest, _timeout_ms: int
    ) -> pb.GetModelStatusResponse:
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        statuses = self._plane.status(spec.name, version)
        return pb.GetModelStatusResponse(model_version_status=statuses)


def _method(
    request_type: Any, answer: Callable[[Any, int], Message]
) -> Callable[[bytes, grpc.ServicerContext], Message]:
    """Wraps an answer: decodes the request and maps errors, once for all methods."""

    def behaviour(data: bytes, context: grpc.ServicerContext) -> Message:
        try:
            return answer(request_type.FromString(data), _timeout_ms(context))
        except StatusError as error:
            context.abort(grpc.StatusCode[error.code.name], error.message)
        except DecodeError:
            context.abort(grpc.StatusCode.INTERNAL, "")
        except Exception as error:
            log.exception("A gRPC call failed")
            context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")

    return behaviour


def _unimplemented(_data: bytes, context: grpc.ServicerContext) -> Message:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "")


def _timeout_ms(context: grpc.ServicerContext) -> int:
    remaining = context.time_remaining()
    if remaining is None:
        return 0
    if remaining <= 0:
        raise StatusError(Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
    return math.ceil(1000 * min(remaining, MAX_SECONDS))


def _require_signature_field(request: pb.GetModelMetadataRequest) -> None:
    if not request.metadata_field:
        text = "GetModelMetadataRequest must specify at least one metadata_field"
        raise invalid_argument(text)
    for field in request.metadata_field:
        if field != methods.SIGNATURE_FIELD:
            raise invalid_argument(f"Metadata field {field} is not supported")


def _choice(request: pb.PredictRequest | pb.GetModelMetadataRequest) -> Choice:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    spec = request.model_spec
    match spec.WhichOneof("version_choice"):
        case "version":
            return Choice(spec.name, version=spec.version.value)
        case "version_label":
            return Choice(spec.name, label=spec.version_label)
        case _:
            return Choice(spec.name)


def _spec(model: str, version: int) -> pb.ModelSpec:
    spec = pb.ModelSpec(name=model)
    spec.version.value = version
    return spec
