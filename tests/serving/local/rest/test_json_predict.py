"""A body in row or column form becomes arrays; an error names what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from serving.local.errors import Code, StatusError
from serving.local.rest.json_bodies import read_predict
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import data_type
from tests.serving.local.rest.bodies import request_of


def signatures(**inputs: pb.DataType) -> dict[str, pb.SignatureDef]:
    """A model with one signature."""
    signature = pb.SignatureDef()
    for name, dtype in inputs.items():
        signature.inputs[name].dtype = dtype
    return {"serving_default": signature}


def read(body: Any, **inputs: pb.DataType) -> dict[str, Any]:
    return read_predict(request_of(body), signatures(**inputs))[1]


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


@pytest.mark.parametrize(
    ("text", "data"), [("aGk=", b"hi"), ("aGk", b"hi"), (" aG k\n", b"hi"), ("", b"")]
)
def test_base64_may_be_spaced_and_needs_no_padding(text: str, data: bytes) -> None:
    (array,) = read({"inputs": [{"b64": text}]}, x=pb.DT_STRING).values()
    assert array.tolist() == [data]


def test_a_float_that_is_too_big_for_32_bits_is_infinite() -> None:
    (array,) = read(b'{"inputs": [1e39, -Infinity, 1]}', x=pb.DT_FLOAT).values()
    assert array.tolist() == [np.inf, -np.inf, 1]


@pytest.mark.parametrize("dtype", [pb.DT_HALF, pb.DT_UINT16, pb.DT_COMPLEX64, pb.DT_STRING])
def test_without_values_every_type_is_taken(dtype: pb.DataType) -> None:
    (column,) = read({"inputs": [[], []]}, x=dtype).values()
    assert (column.shape, data_type(column)) == ((2, 0), dtype)


@pytest.mark.parametrize(
    ("declared", "shape"),
    [([-1, 8, 8, 3], (0, 8, 8, 3)), ([-1, -1, 2], (0, 0, 2)), ([-1], (0,)), ([2, 2], (0, 2))],
)
def test_an_empty_list_is_no_rows_of_the_declared_shape(
    declared: list[int], shape: tuple[int, ...]
) -> None:
    made = signatures(x=pb.DT_UINT8)
    for size in declared:
        made["serving_default"].inputs["x"].tensor_shape.dim.add(size=size)
    (array,) = read_predict(request_of({"inputs": []}), made)[1].values()
    assert array.shape == shape


def test_of_a_type_without_json_it_depends_on_the_form_whose_fault_it_is() -> None:
    for form, code in (("inputs", Code.UNIMPLEMENTED), ("instances", Code.INVALID_ARGUMENT)):
        with pytest.raises(StatusError, match=r"x: .* half") as refusal:
            read({form: [1]}, x=pb.DT_HALF)
        assert refusal.value.code == code


@pytest.mark.parametrize("name", ["serving_default", "s"])
def test_a_signature_without_inputs_is_named(name: str) -> None:
    signatures = {"serving_default": pb.SignatureDef(), "s": pb.SignatureDef()}
    body = {} if name == "serving_default" else {"signature_name": name}
    with pytest.raises(StatusError, match=f'no signature "{name}" with inputs'):
        read_predict(request_of(body), signatures)


REFUSED = {
    '{"instances": [[1], 2]}': ["'instances'", "x at [1]", "a list of 1", "received 2"],
    '{"instances": [[1, [2]]]}': ["x at [0,1]", "float", "a list"],
    '{"inputs": [[1, 2], [3]]}': ["x at [1]", "a list of 2", "a list of 1"],
    '{"inputs": [[1, 2], [3, "a"]]}': ["x at [1,1]", "float", '"a"'],
    '{"inputs": [1e400]}': ["x at [0]", "too big"],
    '{"inputs": [true]}': ["x at [0]", "float", "true"],
    '{"inputs": null}': ["x", "float", "null"],
    '{"inputs": [{"b64": "YQ=="}]}': ["x at [0]", "float", "an object"],
    '{"instances": [1, {"x": 1}]}': ["a value", "item 1", "an object with keys x"],
    '{"instances": [{"x": 1}, {"x": 1, "y": 2}]}': [
        "equal to x as item 1",
        "an object with keys y,x",
    ],
    '{"instances": [{"z": 1}]}': ["item 0", "equal to x ", "an object with keys z"],
    '{"instances": []}': ["'instances'", "a list of 0"],
    '{"instances": 5}': ["'instances'", "Received: 5"],
    '{"instances": [1], "inputs": [1]}': ["one of the keys 'inputs' and 'instances'"],
    "{}": ["'inputs' and 'instances'"],
    "[]": ["a JSON object", "a list"],
    '{"signature_name": 5}': ["'signature_name'", "string", "Received: 5"],
    '{"signature_name": "nope"}': ["nope"],
    '{"instances": ' + "[" * 65 + "1" + "]" * 65 + "}": ["x", "65", "64"],
}


@pytest.mark.parametrize("body", REFUSED, ids=lambda body: body[:30])
def test_an_error_names_the_input_the_place_and_the_type(body: str) -> None:
    with pytest.raises(StatusError) as refusal:
        read(body.encode(), x=pb.DT_FLOAT)
    for part in REFUSED[body]:
        assert part in refusal.value.message


@pytest.mark.parametrize("text", ["aGk==", "=", "a", "aG=k", "a_-=", "aGk\u00a0!"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(StatusError, match=r"x at \[0\].*keys b64"):
        read({"inputs": [{"b64": text}]}, x=pb.DT_STRING)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30, 1.0])
def test_what_is_no_integer_of_the_type_is_refused(value: float) -> None:
    with pytest.raises(StatusError, match=r"x at \[1\]: expected int64"):
        read({"inputs": [1, value]}, x=pb.DT_INT64)


def test_several_inputs_are_named_where_a_plain_list_comes() -> None:
    for form in ("instances", "inputs"):
        with pytest.raises(StatusError, match="Expected the inputs by name: a,b"):
            read({form: [1]}, a=pb.DT_FLOAT, b=pb.DT_FLOAT)
    with pytest.raises(StatusError, match="Missing named input: b"):
        read({"inputs": {"a": 1}}, a=pb.DT_FLOAT, b=pb.DT_FLOAT)
