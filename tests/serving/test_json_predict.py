"""A body in row or column form becomes arrays; a fault is named as the original names it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from serving.local.errors import StatusError
from serving.local.json_predict import PredictBody
from serving.local.json_replies import predictions
from serving.wire import messages_pb2 as pb


def signatures(**inputs: pb.DataType) -> dict[str, pb.SignatureDef]:
    """A model with one signature."""
    signature = pb.SignatureDef()
    for name, dtype in inputs.items():
        signature.inputs[name].dtype = dtype
    return {"serving_default": signature}


def read(body: Any, **inputs: pb.DataType) -> dict[str, Any]:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return dict(PredictBody(text).call(signatures(**inputs)).inputs)


def test_rows_and_columns_give_the_same_arrays() -> None:
    rows = read(
        {"instances": [{"a": 1, "b": [2.5]}, {"a": 3, "b": [4]}]}, a=pb.DT_INT32, b=pb.DT_FLOAT
    )
    columns = read({"inputs": {"a": [1, 3], "b": [[2.5], [4]]}}, a=pb.DT_INT32, b=pb.DT_FLOAT)
    assert rows["a"].tolist() == columns["a"].tolist() == [1, 3]
    assert rows["b"].tolist() == columns["b"].tolist() == [[2.5], [4.0]]
    assert rows["b"].dtype == columns["b"].dtype == np.float32


def test_small_integers_wrap_around() -> None:
    (array,) = read({"inputs": [256, -1, 300]}, x=pb.DT_UINT8).values()
    assert array.tolist() == [0, 255, 44]


def test_base64_needs_no_padding() -> None:
    (array,) = read({"instances": [{"b64": "aGk"}, "é"]}, x=pb.DT_STRING).values()
    assert array.tolist() == [b"hi", "é".encode()]


REFUSED = {
    '{"instances": [[1], 2]}': "Failed to process element: 1 of 'instances' list. Error: "
    "INVALID_ARGUMENT: Expecting shape [1] but got: []",
    '{"instances": [[1, [2]]]}': "Failed to process element: 0 of 'instances' list. Error: "
    "INVALID_ARGUMENT: Encountered list at unexpected level: 1 expected < 1",
    '{"inputs": [[1], 2]}': "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. "
    "Expected at level: 2",
    '{"instances": [1, {"x": 1}]}': "Expecting value/list but got object at item 1 of input list",
    '{"signature_name": 5}': 'JSON Value: {\n    "signature_name": 5\n} not formatted correctly. '
    "'signature_name' key must be a string value.",
    '{"inputs": ' + "[" * 20000 + "1" + "]" * 20000 + "}": "tensor parsing error: x",
    '{"inputs": ["a"]}': 'JSON Value: "a" Type: String is not of expected type: float',
}


@pytest.mark.parametrize("body", REFUSED, ids=lambda body: body[:30])
def test_a_fault_is_named_as_the_original_names_it(body: str) -> None:
    with pytest.raises(StatusError) as refusal:
        read(body.encode(), x=pb.DT_FLOAT)
    assert refusal.value.message == REFUSED[body]


def test_arrays_without_elements_are_written_as_nested_lists() -> None:
    text = predictions({"y": np.zeros((2, 0, 3), np.float32)}, row_form=True)
    assert json.loads(text) == {"predictions": [[], []]}


def test_rows_need_outputs_of_one_length() -> None:
    outputs = {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)}
    with pytest.raises(StatusError, match="b has inconsistent batch size: 3 expecting: 2"):
        predictions(outputs, row_form=True)
