"""Answers gRPC calls: passes requests to the data plane, and turns its results into replies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote

from google.protobuf.message import Message

from serving.local.deadline import Deadline
from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.inference.classify_regress import infer
from serving.local.inference.dataplane import DataPlane, Served
from serving.local.inference.predict import predict
from serving.local.lifecycle import config_files
from serving.local.lifecycle.manager import Manager
from serving.local.lifecycle.versions import Choice
from serving.local.metrics import Metrics
from serving.local.settings import Settings
from serving.wire import messages_pb2 as pb
from serving.wire import methods
from serving.wire import operations_pb2 as operations
from serving.wire.tensors import to_proto

_LOOPBACK = ("ipv4:127.", "ipv6:[::1]:", "ipv6:[::ffff:127.", "unix:")


class Caller(NamedTuple):
    """The deadline of a call, and the address of its client in gRPC's form."""

    deadline: Deadline
    peer: str


class Answer(NamedTuple):
    """The request type of a method, and the function that answers it or raises `StatusError`."""

    request_type: Any
    give: Callable[[Any, Caller], Message]


class Services:
    """`tensorflow.serving.PredictionService` and `ModelService`."""

    def __init__(
        self,
        plane: DataPlane,
        manager: Manager,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        """Stores the parts; clients may name base paths near those that `manager` has now."""
        self._plane = plane
        self._manager = manager
        self._reader = config_files.config_reader(settings).confined(manager.models)
        self._metrics = metrics
        self._reload_from_any_peer = settings.reload_config_from_any_peer

    def answers(self) -> dict[str, Answer]:
        """Returns the answers by method name."""
        classify = partial(self._infer, methods.CLASSIFY_METHOD, pb.ClassificationResponse)
        regress = partial(self._infer, methods.REGRESS_METHOD, pb.RegressionResponse)
        return {
            methods.PREDICT: self._counted("Predict", pb.PredictRequest, self._predict),
            methods.CLASSIFY: self._counted("Classify", pb.ClassificationRequest, classify),
            methods.REGRESS: self._counted("Regress", pb.RegressionRequest, regress),
            methods.MULTI_INFERENCE: Answer(pb.MultiInferenceRequest, self._multi_inference),
            methods.GET_MODEL_METADATA: Answer(pb.GetModelMetadataRequest, self._metadata),
            methods.GET_MODEL_STATUS: Answer(pb.GetModelStatusRequest, self._status),
            methods.RELOAD_CONFIG: Answer(operations.ReloadConfigRequest, self._reload),
        }

    def _counted(
        self, api: str, request_type: Any, give: Callable[[Any, Caller], Message]
    ) -> Answer:
        def counted(request: Any, caller: Caller) -> Message:
            with self._metrics.request(request.model_spec.name, api, "GRPC"):
                return give(request, caller)

        return Answer(request_type, counted)

    def _predict(self, request: pb.PredictRequest, caller: Caller) -> Message:
        with self._plane.lease(_choice(request)) as served:
            name = request.model_spec.signature_name or methods.DEFAULT_SIGNATURE
            inputs, wanted = request.inputs, request.output_filter
            outputs = predict(served, name, inputs, wanted, caller.deadline)
        reply = pb.PredictResponse(model_spec=_spec(served, name))
        for output, array in outputs.items():
            reply.outputs[output].CopyFrom(to_proto(array, as_values=True))
        return reply

    def _infer(
        self, method: str, response: Callable[..., Message], request: Any, caller: Caller
    ) -> Message:
        task = pb.InferenceTask(method_name=method, model_spec=request.model_spec)
        with self._plane.lease(_choice(request)) as served:
            (result,) = infer(served, [task], request.input, caller.deadline)
        return response(result=result, model_spec=_spec(served, request.model_spec.signature_name))

    def _multi_inference(self, request: pb.MultiInferenceRequest, caller: Caller) -> Message:
        choice = _choice_of(request.tasks[0].model_spec if request.tasks else pb.ModelSpec())
        with self._plane.lease(choice) as served:
            if {task.model_spec.name for task in request.tasks} != {choice.model}:
                raise invalid_argument("All tasks of a MultiInferenceRequest must name one model.")
            results = infer(served, request.tasks, request.input, caller.deadline)
        reply = pb.MultiInferenceResponse()
        for task, result in zip(request.tasks, results, strict=True):
            spec = _spec(served, task.model_spec.signature_name)
            kind = "regression" if isinstance(result, pb.RegressionResult) else "classification"
            reply.results.add(model_spec=spec, **{f"{kind}_result": result})
        return reply

    def _metadata(self, request: pb.GetModelMetadataRequest, _caller: Caller) -> Message:
        choice = _choice(request)
        if set(request.metadata_field) != {methods.SIGNATURE_FIELD}:
            fields = ", ".join(request.metadata_field)
            text = f"Expected the metadata_field {methods.SIGNATURE_FIELD}. Received: {fields}"
            raise invalid_argument(text)
        with self._plane.lease(choice) as served:
            signatures = pb.SignatureDefMap(signature_def=served.signatures)
        reply = pb.GetModelMetadataResponse(model_spec=_spec(served))
        field = reply.metadata[methods.SIGNATURE_FIELD]
        field.type_url = methods.SIGNATURE_DEF_MAP_URL
        field.value = signatures.SerializeToString()
        return reply

    def _status(self, request: pb.GetModelStatusRequest, _caller: Caller) -> Message:
        choice = _choice(request)
        statuses = self._plane.versions.statuses(choice.model, choice.version)
        return pb.GetModelStatusResponse(model_version_status=statuses)

    def _reload(self, request: operations.ReloadConfigRequest, caller: Caller) -> Message:
        require_peer(caller.peer, from_any=self._reload_from_any_peer)
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument("A reload takes a model_config_list and nothing else.")
        before = [self._metrics.total(name) for name in request.metric_names]
        models = self._reader.accept(request.config.model_config_list)
        self._manager.reload(models, caller.deadline)
        reply = operations.ReloadConfigResponse(status=pb.StatusProto())
        for name, total in zip(request.metric_names, before, strict=True):
            reply.metric.add(name=name, int64_value_increase=self._metrics.total(name) - total)
        return reply


def require_peer(peer: str, *, from_any: bool) -> None:
    """Raises `PERMISSION_DENIED` for a reload from another machine, unless `from_any`."""
    if not from_any and not unquote(peer).startswith(_LOOPBACK):
        text = f"{peer} may not reload: only this machine, without --reload_config_from_any_peer"
        raise StatusError(Code.PERMISSION_DENIED, text)


def _choice(request: Any) -> Choice:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return _choice_of(request.model_spec)


def _choice_of(spec: pb.ModelSpec) -> Choice:
    version = spec.version.value if spec.HasField("version") else None
    label = spec.version_label if spec.HasField("version_label") else None
    return Choice(spec.name, version, label)


def _spec(served: Served, signature_name: str = "") -> pb.ModelSpec:
    spec = pb.ModelSpec(name=served.model, signature_name=signature_name)
    spec.version.value = served.version
    return spec
