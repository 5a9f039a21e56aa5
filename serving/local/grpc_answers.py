"""The gRPC skin's answering half: requests to the data plane, what it says to replies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from google.protobuf.message import Message

from serving.local.config import ConfigReader
from serving.local.dataplane import Call, DataPlane
from serving.local.errors import invalid_argument
from serving.local.inference import task_of, tasks_of
from serving.local.manager import Manager
from serving.local.metrics import Metrics
from serving.local.predict import RequestTensors
from serving.local.versions import Choice
from serving.wire import messages_pb2 as pb
from serving.wire import methods
from serving.wire import operations_pb2 as operations
from serving.wire.tensors import to_proto


class Answer(NamedTuple):
    """How a method is answered: its request's type, and the function of request and time-out.

    The time-out is in milliseconds, 0 for none. The function raises `StatusError`.
    """

    request_type: Any
    give: Callable[[Any, int], Message]


class _WithSpec(Protocol):
    model_spec: pb.ModelSpec


class PredictionService:
    """Answers of `tensorflow.serving.PredictionService`."""

    def __init__(self, plane: DataPlane, metrics: Metrics) -> None:
        self._plane = plane
        self._metrics = metrics

    def answers(self) -> dict[str, Answer]:
        """By method name."""
        return {
            methods.PREDICT: self._counted("Predict", pb.PredictRequest, self._predict),
            methods.CLASSIFY: self._counted("Classify", pb.ClassificationRequest, self._classify),
            methods.REGRESS: self._counted("Regress", pb.RegressionRequest, self._regress),
            methods.MULTI_INFERENCE: Answer(pb.MultiInferenceRequest, self._multi_inference),
            methods.GET_MODEL_METADATA: Answer(pb.GetModelMetadataRequest, self._metadata),
        }

    def _counted(self, api: str, request_type: Any, give: Callable[[Any, int], Message]) -> Answer:
        def counted(request: _WithSpec, timeout_ms: int) -> Message:
            with self._metrics.request(request.model_spec.name, api, "GRPC"):
                return give(request, timeout_ms)

        return Answer(request_type, counted)

    def _predict(self, request: pb.PredictRequest, timeout_ms: int) -> pb.PredictResponse:
        choice = _choice(request)
        name = request.model_spec.signature_name or methods.DEFAULT_SIGNATURE
        call = Call(name, RequestTensors(request.inputs), request.output_filter)
        answer = self._plane.predict(choice, lambda _: call, timeout_ms)
        spec = _spec(choice.model, answer.version, answer.signature_name)
        reply = pb.PredictResponse(model_spec=spec)
        for output, array in answer.outputs.items():
            reply.outputs[output].CopyFrom(to_proto(array, as_values=True))
        return reply

    def _classify(
        self, request: pb.ClassificationRequest, timeout_ms: int
    ) -> pb.ClassificationResponse:
        spec, result = self._infer(methods.CLASSIFY_METHOD, request, timeout_ms)
        return pb.ClassificationResponse(result=result, model_spec=spec)

    def _regress(self, request: pb.RegressionRequest, timeout_ms: int) -> pb.RegressionResponse:
        spec, result = self._infer(methods.REGRESS_METHOD, request, timeout_ms)
        return pb.RegressionResponse(result=result, model_spec=spec)

    def _infer(
        self,
        method: str,
        request: pb.ClassificationRequest | pb.RegressionRequest,
        timeout_ms: int,
    ) -> tuple[pb.ModelSpec, Any]:
        choice = _choice(request)
        spec = request.model_spec
        tasks = [task_of(method, spec)]
        version, (result,) = self._plane.infer(choice, tasks, request.input, timeout_ms)
        return _spec(choice.model, version, spec.signature_name), result

    def _multi_inference(
        self, request: pb.MultiInferenceRequest, timeout_ms: int
    ) -> pb.MultiInferenceResponse:
        spec = request.tasks[0].model_spec if request.tasks else pb.ModelSpec()
        choice = _choice_of(spec)
        self._plane.require(choice)
        _require_one_model(request)
        tasks = tasks_of(request)
        version, results = self._plane.infer(choice, tasks, request.input, timeout_ms)
        reply = pb.MultiInferenceResponse()
        for task, result in zip(request.tasks, results, strict=True):
            spec = _spec(choice.model, version, task.model_spec.signature_name)
            entry = reply.results.add(model_spec=spec)
            if isinstance(result, pb.RegressionResult):
                entry.regression_result.CopyFrom(result)
            else:
                entry.classification_result.CopyFrom(result)
        return reply

    def _metadata(
        self, request: pb.GetModelMetadataRequest, _timeout_ms: int
    ) -> pb.GetModelMetadataResponse:
        choice = _choice(request)
        _require_signature_field(request)
        version, signatures = self._plane.metadata(choice)
        reply = pb.GetModelMetadataResponse(model_spec=_spec(choice.model, version))
        field = reply.metadata[methods.SIGNATURE_FIELD]
        field.type_url = methods.SIGNATURE_DEF_MAP_URL
        field.value = signatures.SerializeToString()
        return reply


class ModelService:
    """Answers of `tensorflow.serving.ModelService`."""

    def __init__(
        self, plane: DataPlane, manager: Manager, reader: ConfigReader, metrics: Metrics
    ) -> None:
        self._plane = plane
        self._manager = manager
        self._reader = reader
        self._metrics = metrics

    def answers(self) -> dict[str, Answer]:
        """By method name."""
        return {
            methods.GET_MODEL_STATUS: Answer(pb.GetModelStatusRequest, self._status),
            methods.RELOAD_CONFIG: Answer(operations.ReloadConfigRequest, self._reload),
        }

    def _status(
        self, request: pb.GetModelStatusRequest, _timeout_ms: int
    ) -> pb.GetModelStatusResponse:
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        statuses = self._plane.status(spec.name, version)
        return pb.GetModelStatusResponse(model_version_status=statuses)

    def _reload(
        self, request: operations.ReloadConfigRequest, timeout_ms: int
    ) -> operations.ReloadConfigResponse:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
                "ModelConfigList is currently supported"
            )
        before = [self._metrics.total(name) for name in request.metric_names]
        models = self._reader.accept(request.config.model_config_list)
        self._manager.reload(models, timeout_ms / 1000 or None)
        reply = operations.ReloadConfigResponse(status=pb.StatusProto())
        for name, total in zip(request.metric_names, before, strict=True):
            reply.metric.add(name=name, int64_value_increase=self._metrics.total(name) - total)
        return reply


def _require_one_model(request: pb.MultiInferenceRequest) -> None:
    names = [task.model_spec.name for task in request.tasks]
    if "" in names:
        raise invalid_argument("Found ModelSpec with an empty model name.")
    if len(set(names)) > 1:
        raise invalid_argument(
            "All ModelSpecs in a MultiInferenceRequest must access the same model name."
        )


def _require_signature_field(request: pb.GetModelMetadataRequest) -> None:
    if not request.metadata_field:
        text = "GetModelMetadataRequest must specify at least one metadata_field"
        raise invalid_argument(text)
    for field in request.metadata_field:
        if field != methods.SIGNATURE_FIELD:
            raise invalid_argument(f"Metadata field {field} is not supported")


def _choice(request: Any) -> Choice:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return _choice_of(request.model_spec)


def _choice_of(spec: pb.ModelSpec) -> Choice:
    match spec.WhichOneof("version_choice"):
        case "version":
            return Choice(spec.name, version=spec.version.value)
        case "version_label":
            return Choice(spec.name, label=spec.version_label)
        case _:
            return Choice(spec.name)


def _spec(model: str, version: int, signature_name: str = "") -> pb.ModelSpec:
    spec = pb.ModelSpec(name=model, signature_name=signature_name)
    spec.version.value = version
    return spec
