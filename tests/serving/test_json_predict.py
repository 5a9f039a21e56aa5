"""A body in row or column form becomes arrays; a fault is named as the original names it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from serving.local.errors import StatusError
from serving.local.json_predict import PredictBody
from serving.local.json_replies import error, predictions, status
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import data_type


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


@pytest.mark.parametrize(
    ("text", "data"),
    [("aGk=", b"hi"), (" aG k\n", b"hi"), ("aA..", b"h"), ("aGkx", b"hi1"), ("", b"")],
)
def test_base64_may_be_spaced_and_padded_with_points(text: str, data: bytes) -> None:
    (array,) = read({"inputs": [{"b64": text}]}, x=pb.DT_STRING).values()
    assert array.tolist() == [data]


@pytest.mark.parametrize("text", ["aGk==", "aGkx=", "=", "a", "aA=", "aG=k", "a_-=", "aGk\u00a0"])
def test_base64_with_the_wrong_padding_or_alphabet_is_refused(text: str) -> None:
    with pytest.raises(StatusError, match="Unable to base64 decode"):
        read({"inputs": [{"b64": text}]}, x=pb.DT_STRING)


def test_values_of_an_input_that_comes_twice_in_a_row_push_the_last_out() -> None:
    (rows,) = read(b'{"instances": [{"x": [1], "x": [2]}, {"x": [3]}]}', x=pb.DT_INT32).values()
    assert rows.tolist() == [[1], [2]]
    (columns,) = read(b'{"inputs": {"x": [1], "x": [2]}}', x=pb.DT_INT32).values()
    assert columns.tolist() == [1]


@pytest.mark.parametrize("dtype", [pb.DT_HALF, pb.DT_BFLOAT16, pb.DT_UINT16, pb.DT_COMPLEX64])
def test_without_values_every_type_is_taken_and_written(dtype: pb.DataType) -> None:
    (column,) = read({"inputs": [[], []]}, x=dtype).values()
    assert (column.shape, data_type(column)) == ((2, 0), dtype)
    (rows,) = read({"instances": [[], []]}, x=dtype).values()
    text = predictions({"y": rows}, row_form=True)
    assert json.loads(text) == {"predictions": [[], []]}


def test_a_base64_object_in_front_counts_as_one_of_several_inputs() -> None:
    arrays = read({"instances": [{"b64": "aGk="}, "b"]}, a=pb.DT_STRING, b=pb.DT_STRING)
    assert [array.tolist() for array in arrays.values()] == [[b"hi", b"b"]]
    refused = (
        "0 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: [^T]* Type: Object is not"
    )
    with pytest.raises(StatusError, match=refused):
        read({"instances": [{"b64": "aGk="}]}, a=pb.DT_FLOAT, b=pb.DT_FLOAT)


@pytest.mark.parametrize(("body", "asked"), [({}, "DEFAULT"), ({"signature_name": "s"}, "s")])
def test_a_signature_without_inputs_is_named_as_it_was_asked_for(
    body: dict[str, Any], asked: str
) -> None:
    both = signatures() | {"s": pb.SignatureDef()}
    with pytest.raises(StatusError, match=f"Failed to get input map for signature: {asked}"):
        PredictBody(json.dumps(body).encode()).call(both)


REFUSED = {
    '{"instances": [[1], 2]}': "Failed to process element: 1 of 'instances' list. Error: "
    "INVALID_ARGUMENT: Expecting shape [1] but got: []",
    '{"instances": [[1, [2]]]}': "Failed to process element: 0 of 'instances' list. Error: "
    "INVALID_ARGUMENT: Encountered list at unexpected level: 1 expected < 1",
    '{"inputs": [[1], 2]}': "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. "
    "Expected at level: 2",
    '{"instances": [1, {"x": 1}]}': "Expecting value/list but got object at item 1 of input list",
    '{"instances": [{"x": 1, "x": [2]}]}': "Failed to process element: 0 key: x of 'instances' "
    "list. Error: INVALID_ARGUMENT: Expecting shape [] but got: [1]",
    '{"instances": [{"x": 1, "y": 2, "y": 3}]}': "Failed to process element: 0 key: y of "
    "'instances' list. Error: INVALID_ARGUMENT: JSON object: does not have named input: y",
    '{"inputs": [{"b64": "YQ==", "b64": "YQ=="}]}': 'JSON Value: {\n    "b64": "YQ==",\n'
    '    "b64": "YQ=="\n} Type: Object is not of expected type: float',
    '{"instances": ' + "[" * 65 + "1" + "]" * 65 + "}": "x has 65 dimensions. This server takes at "
    "most 64.",
    '{"signature_name": 5}': 'JSON Value: {\n    "signature_name": 5\n} not formatted correctly. '
    "'signature_name' key must be a string value.",
    '{"inputs": ' + "[" * 20000 + "1" + "]" * 20000 + "}": "tensor parsing error: x",
    '{"inputs": ["a"]}': 'JSON Value: "a" Type: String is not of expected type: float',
    '{"instances": 1e-7}': "JSON Value: {\n    \"instances\": 1e-7\n} Expecting 'instances' to be "
    "an list/array",
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


def test_bytes_in_nested_rows_are_indented_by_their_depth() -> None:
    outputs = {"y_bytes": np.array([[b"a"]], np.object_)}
    text = predictions(outputs, row_form=True).decode()
    inner = '{\n                "b64": "YQ=="\n            }'
    assert text == f'{{\n    "predictions": [[{inner}]\n    ]\n}}'


def test_an_error_escapes_control_characters_in_upper_case() -> None:
    assert error("\x1b<é>") == '{\n    "error": "\\u001B<é>"\n}'.encode()


def test_a_status_escapes_what_html_would_act_on() -> None:
    state = pb.ModelVersionStatus(version=1)
    state.status.error_message = "Op<name=\u2028\x7f>"
    assert rb"Op\u003cname=\u2028\u007f\u003e" in status([state])


def test_only_doubles_show_how_they_were_read() -> None:
    (array,) = read(b'{"inputs": [-698767.1519529522, 1]}', x=pb.DT_DOUBLE).values()
    assert array.tolist() == [-698767.1519529521, 1.0]
