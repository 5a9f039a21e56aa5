"""A gRPC request with several faults gets the error that TensorFlow Serving finds first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from serving.wire import messages_pb2 as pb
from serving.wire import methods
from tests.support.servers import ModelServer

Refusal = tuple[str, str]
Refuse = Callable[[str, Message], Refusal]

NO_NAME = "ModelSpec has no name specified."


def _serialized(request: Message) -> bytes:
    return request.SerializeToString()


@pytest.fixture
def refuse(small_server: ModelServer) -> Iterator[Refuse]:
    """Sends a request, and gives the code and the text of its refusal."""
    with grpc.insecure_channel(small_server.grpc_address) as channel:

        def ask(method: str, request: Message) -> Refusal:
            call: Any = channel.unary_unary(method, request_serializer=_serialized)
            with pytest.raises(grpc.RpcError) as error:
                call(request, timeout=30)
            refusal: Any = error.value
            return refusal.code().name, refusal.details()

        yield ask


def tasks(*specs: pb.ModelSpec | None) -> pb.MultiInferenceRequest:
    """One task for each; None leaves its model out."""
    listed = [
        pb.InferenceTask(model_spec=spec, method_name=methods.CLASSIFY_METHOD) for spec in specs
    ]
    return pb.MultiInferenceRequest(tasks=listed)


HALF, NOPE = pb.ModelSpec(name="half"), pb.ModelSpec(name="nope")


def test_metadata_without_anything_asked_for_misses_the_model_first(refuse: Refuse) -> None:
    refusal = refuse(methods.GET_MODEL_METADATA, pb.GetModelMetadataRequest())
    assert refusal == ("INVALID_ARGUMENT", "Missing ModelSpec")


def test_metadata_of_an_unknown_model_is_about_its_fields_first(refuse: Refuse) -> None:
    request = pb.GetModelMetadataRequest(model_spec=NOPE, metadata_field=["nope"])
    refusal = refuse(methods.GET_MODEL_METADATA, request)
    assert refusal == (
        "INVALID_ARGUMENT",
        "Expected the metadata_field signature_def. Received: nope",
    )


@pytest.mark.parametrize(
    ("specs", "refusal"),
    [
        ([None], ("INVALID_ARGUMENT", NO_NAME)),
        ([pb.ModelSpec(), HALF], ("INVALID_ARGUMENT", NO_NAME)),
        ([NOPE, HALF], ("NOT_FOUND", "Servable not found for request: Latest(nope)")),
    ],
    ids=["no model", "no name", "unknown model"],
)
def test_the_model_of_the_first_task_is_looked_for_before_the_others(
    refuse: Refuse, specs: list[pb.ModelSpec | None], refusal: Refusal
) -> None:
    assert refuse(methods.MULTI_INFERENCE, tasks(*specs)) == refusal


@pytest.mark.parametrize(
    ("field", "code"), [("name", "NOT_FOUND"), ("signature_name", "FAILED_PRECONDITION")]
)
def test_a_long_name_of_wide_letters_is_cut_and_the_code_stays(
    refuse: Refuse, field: str, code: str
) -> None:
    spec = pb.ModelSpec(**{"name": "half", field: "鈔" * 1900})  # type: ignore[arg-type]
    refusal = refuse(methods.PREDICT, pb.PredictRequest(model_spec=spec))
    assert refusal[0] == code
    assert refusal[1].endswith("鈔...")


def test_the_first_task_with_a_fault_is_told(refuse: Refuse) -> None:
    nowhere = pb.ModelSpec(name="half", signature_name="nowhere")
    refusal = refuse(methods.MULTI_INFERENCE, tasks(nowhere, HALF, nowhere))
    assert refusal[0] == "INVALID_ARGUMENT"
    assert "nowhere" in refusal[1]
