"""Large messages are bounded by the number of elements that they decode to."""

import pytest

from serving.local.errors import StatusError
from serving.local.grpc.admission import MAX_ELEMENTS, parsed
from serving.wire import messages_pb2 as pb

MANY = 4 * MAX_ELEMENTS


def features() -> pb.ClassificationRequest:
    request = pb.ClassificationRequest()
    for number in range(MANY // 4):
        request.input.example_list.examples.add().features.feature[str(number)].SetInParent()
    return request


TOO_MANY = {
    "examples": pb.ClassificationRequest(
        input=pb.Input(example_list=pb.ExampleList(examples=[pb.Example()] * MANY))
    ),
    "features": features(),
    "output names": pb.PredictRequest(output_filter=[""] * MANY),
    "inputs": pb.PredictRequest(inputs={str(n): pb.TensorProto() for n in range(MANY)}),
    "texts": pb.PredictRequest(inputs={"x": pb.TensorProto(string_val=[b""] * MANY)}),
}


@pytest.mark.parametrize("what", TOO_MANY)
def test_a_message_of_too_many_elements_is_refused(what: str) -> None:
    request = TOO_MANY[what]
    with pytest.raises(StatusError, match=f"at most {MAX_ELEMENTS} strings and messages"):
        parsed(type(request), request.SerializeToString())


def test_numbers_are_no_elements() -> None:
    tensor = pb.TensorProto(int_val=[1] * MANY, tensor_content=bytes(MANY))
    request = pb.PredictRequest(inputs={"x": tensor})
    assert parsed(pb.PredictRequest, request.SerializeToString()) == request
