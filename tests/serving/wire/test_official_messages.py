"""The messages of `tensorflow-serving-api` are understood, and ours are a subset of them.

Its stubs cannot be tested: in the release for this TensorFlow, their import sets an attribute of a
descriptor, which protobuf refuses; the next release requires a TensorFlow newer than the newest
server image. So the tests make the calls by name, as the stubs would make them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import Message
from tensorflow.core.framework.types_pb2 import DataType
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis.classification_pb2 import (
    ClassificationRequest,
    ClassificationResponse,
)
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelVersionStatus,
)
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest, MultiInferenceResponse
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.wire import messages_pb2 as pb
from serving.wire import methods, operations_pb2
from tests.serving import models
from tests.support.servers import ModelServer, wait_until

OF_OTHER_PACKAGES = {
    # Files as text, of which only the names of fields count; the official package lacks them.
    *("BatchingParameters", "MonitoringConfig", "PrometheusConfig", "SSLConfig"),
}
SAME_BYTES = {
    # C++ sends labels that are no UTF-8; a number and an enum are written alike.
    ("Class", "label"): (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES),
    ("StatusProto", "error_code"): (FieldDescriptor.TYPE_ENUM, FieldDescriptor.TYPE_INT32),
}


def all_messages(*files: FileDescriptor) -> Iterator[Descriptor]:
    """The messages that proto files and their imports define, those within others too."""
    found = [*files]
    for file in found:
        found += [needed for needed in file.dependencies if needed not in found]
    waiting = [message for file in found for message in file.message_types_by_name.values()]
    for message in waiting:
        waiting += message.nested_types
        yield message


def within_package(message: Descriptor) -> str:
    """A message's name and those of the messages around it."""
    parts = message.full_name.removeprefix("us_bills.wire.").split(".")
    names = ".".join(part for part in parts if part[0].isupper())
    return names.removeprefix("FileSystemStoragePathSourceConfig.")


OURS = [
    message
    for message in all_messages(operations_pb2.DESCRIPTOR)
    if message.full_name.startswith("us_bills.") and message.name not in OF_OTHER_PACKAGES
]
THEIRS = {
    within_package(message): message
    for some in (ReloadConfigRequest, PredictionLog, GetModelMetadataRequest, GetModelStatusRequest)
    for message in all_messages(some.DESCRIPTOR.file)
}


@pytest.mark.parametrize("message", OURS, ids=within_package)
def test_every_field_has_the_number_and_the_form_of_the_original(message: Descriptor) -> None:
    for ours in message.fields:
        theirs: Any = THEIRS[within_package(message)].fields_by_number[ours.number]
        assert (ours.name, ours.is_repeated) == (theirs.name, theirs.is_repeated)
        if ours.message_type:
            assert within_package(ours.message_type) == within_package(theirs.message_type)
        if ours.containing_oneof:
            assert ours.containing_oneof.name == theirs.containing_oneof.name
        if ours.type != theirs.type:
            assert SAME_BYTES[message.name, ours.name] == (theirs.type, ours.type)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(pb.DataType, DataType), (pb.ModelVersionStatus.State, ModelVersionStatus.State)],
    ids=["DataType", "State"],
)
def test_every_value_has_the_number_of_the_original(ours: Any, theirs: Any) -> None:
    assert set(ours.items()) <= set(theirs.items())


@pytest.fixture(scope="module")
def server(small_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """A server whose model `half` has three versions, and whose other model classifies."""
    with started(small_models, tmp_path_factory.mktemp("official")) as made:
        yield made


def started(small_models: Path, folder: Path) -> ModelServer:
    """Such a server, to be used in a `with` block."""
    models.save_classifier(models.Classifier(), folder / "sizes" / "1")
    config = text_format.MessageToString(configuration(small_models, folder))
    return ModelServer(folder / "server", [], config, wait_for=["half", "sizes"])


def configuration(small_models: Path, folder: Path) -> ModelServerConfig:
    """What the server is to serve, in the official messages."""
    config = ModelServerConfig()
    half = config.model_config_list.config.add(name="half", model_platform="tensorflow")
    half.base_path = str(small_models / "half")
    half.model_version_policy.all.SetInParent()
    sizes = config.model_config_list.config.add(name="sizes", model_platform="tensorflow")
    sizes.base_path = str(folder / "sizes")
    return config


def ask(server: ModelServer, method: str, request: Message, reply: type[Message]) -> Any:
    """One call, with the messages that are given."""
    with grpc.insecure_channel(server.grpc_address) as channel:
        call: Any = channel.unary_unary(
            method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=reply.FromString,
        )
        return call(request, timeout=30)


def test_predict(server: ModelServer) -> None:
    request = PredictRequest(inputs={"x": tf.make_tensor_proto([1.0, 2.0])})
    request.model_spec.name = "half"
    request.model_spec.version.value = 1
    reply = ask(server, methods.PREDICT, request, PredictResponse)
    assert reply.model_spec.version.value == 1
    assert tf.make_ndarray(reply.outputs["y"]).tolist() == [2.5, 3.0]


def test_predict_with_fields_that_the_local_server_does_not_know(server: ModelServer) -> None:
    request = PredictRequest(inputs={"x": tf.make_tensor_proto([1.0])}, client_id=b"me")
    request.model_spec.name = "half"
    reply = ask(server, methods.PREDICT, request, PredictResponse)
    assert tf.make_ndarray(reply.outputs["y"]).tolist() == [4.5]


def test_classify(server: ModelServer) -> None:
    request = ClassificationRequest()
    request.model_spec.name = "sizes"
    example = request.input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(1.0)
    reply = ask(server, methods.CLASSIFY, request, ClassificationResponse)
    (answer,) = reply.result.classifications
    assert answer.classes[0].score == example.ByteSize()


def test_several_inferences(server: ModelServer) -> None:
    request = MultiInferenceRequest()
    task = request.tasks.add(method_name=methods.CLASSIFY_METHOD)
    task.model_spec.name = "sizes"
    request.input.example_list.examples.add()
    reply = ask(server, methods.MULTI_INFERENCE, request, MultiInferenceResponse)
    assert reply.results[0].classification_result.classifications[0].classes[0].score == 0.0


def test_metadata(server: ModelServer) -> None:
    request = GetModelMetadataRequest(metadata_field=[methods.SIGNATURE_FIELD])
    request.model_spec.name = "half"
    reply = ask(server, methods.GET_MODEL_METADATA, request, GetModelMetadataResponse)
    signatures = SignatureDefMap()
    assert reply.metadata[methods.SIGNATURE_FIELD].Unpack(signatures)
    inputs = signatures.signature_def[methods.DEFAULT_SIGNATURE].inputs
    assert inputs["x"].dtype == tf.float32.as_datatype_enum


def test_status_and_reload(small_models: Path, tmp_path: Path) -> None:
    reload = ReloadConfigRequest(config=configuration(small_models, tmp_path))
    (half, _) = reload.config.model_config_list.config
    half.model_version_policy.specific.versions.append(2)
    ended, available = ModelVersionStatus.END, ModelVersionStatus.AVAILABLE
    with started(small_models, tmp_path) as own:
        reply = ask(own, methods.RELOAD_CONFIG, reload, ReloadConfigResponse)
        assert reply.status.error_code == error_codes_pb2.OK
        for _ in wait_until("versions 1 and 3 to end", time.monotonic() + 30):
            if states_of_half(own) == {1: ended, 2: available, 3: ended}:
                break


def states_of_half(server: ModelServer) -> dict[int, int]:
    """The state of each version, by number."""
    request = GetModelStatusRequest()
    request.model_spec.name = "half"
    reply = ask(server, methods.GET_MODEL_STATUS, request, GetModelStatusResponse)
    return {entry.version: entry.state for entry in reply.model_version_status}


def test_an_error_has_the_code_and_the_words_of_the_original(server: ModelServer) -> None:
    request = PredictRequest()
    request.model_spec.name = "nope"
    with pytest.raises(grpc.RpcError) as caught:
        ask(server, methods.PREDICT, request, PredictResponse)
    error: Any = caught.value
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert error.details().startswith("Servable not found for request: Latest(nope)")
