"""Arrays and messages become JSON values."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from serving.local.errors import StatusError
from serving.local.rest import json_replies
from serving.local.rest.json_replies import predictions


def written(array: Any, name: str = "y", *, row_form: bool = False) -> Any:
    text = predictions({name: np.array(array)}, row_form=row_form)
    (value,) = json.loads(text.decode("utf-8", "surrogateescape")).values()
    return value


def test_a_float32_is_written_with_the_digits_that_tell_it() -> None:
    text = predictions({"y": np.array([0.991, 1e-30, 16777216], np.float32)}, row_form=True)
    assert text == b'{"predictions": [0.991, 1e-30, 16777216.0]}'


@pytest.mark.parametrize(
    "array",
    [
        np.array([1 / 3, 0.1]),
        np.array([2**64 - 1], np.uint64),
        np.array([[True], [False]]),
        np.array(5, np.int8),
        np.zeros((2, 0, 3)),
    ],
)
def test_other_numbers_are_written_exactly(array: Any) -> None:
    assert written(array) == array.tolist()


def test_numbers_that_are_not_finite_are_words() -> None:
    text = predictions({"y": np.array([np.nan, np.inf, -np.inf], np.float32)}, row_form=False)
    assert text == b'{"outputs": [NaN, Infinity, -Infinity]}'


def test_bytes_are_base64_by_their_name_and_text_otherwise() -> None:
    assert written([[b"a"]], "y_bytes") == [[{"b64": "YQ=="}]]
    assert written(np.array([b"\xc3\xa9", b"\xff"], np.object_)) == ["é", "\udcff"]


def test_several_outputs_are_named_in_each_row() -> None:
    outputs = {"a": np.array([1, 2]), "b": np.array([[3], [4]])}
    rows = [{"a": 1, "b": [3]}, {"a": 2, "b": [4]}]
    assert json.loads(predictions(outputs, row_form=True)) == {"predictions": rows}
    columns = {"a": [1, 2], "b": [[3], [4]]}
    assert json.loads(predictions(outputs, row_form=False)) == {"outputs": columns}


def test_rows_need_outputs_of_one_length() -> None:
    outputs = {"a": np.zeros(2), "b": np.zeros(3)}
    with pytest.raises(StatusError, match=r"common batch size: .*'b': \(3,\)"):
        predictions(outputs, row_form=True)
    with pytest.raises(StatusError, match=r"common batch size: .*'y': \(\)"):
        written(5, row_form=True)


def test_a_type_without_json_is_named() -> None:
    with pytest.raises(StatusError, match="half, output y"):
        written(np.ones(1, np.float16))


def test_an_error_may_quote_what_is_no_text() -> None:
    assert json.loads(json_replies.error("\ud800 \x1b é")) == {"error": "\ud800 \x1b é"}
