"""Arrays become JSON of the same values in REST request bodies, whatever their type and shape."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from serving.client.json_tensors import array_of, dumps, predict_body
from serving.wire.tensors import Array


@pytest.mark.parametrize(
    "shape", [(256,), (2, 128), (4, 8, 8), (1, 16, 16, 1), (), (0,), (2, 0, 3), (0, 2)], ids=str
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_numbers_become_nested_lists(shape: tuple[int, ...], dtype: Any) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    assert json.loads(dumps(array)) == array.tolist()


def test_a_picture_takes_less_than_five_bytes_a_value() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 448, 448, 3), np.uint8)
    text = dumps(picture)
    assert len(text) < 5 * picture.size
    assert np.array_equal(json.loads(text), picture)


@pytest.mark.parametrize("strings", [["a", 'with "quotes"', "é"], []])
def test_strings_stay_strings_and_bytes_become_base64(strings: list[str]) -> None:
    assert json.loads(dumps(np.array(strings, np.object_))) == strings
    array = np.array([text.encode() for text in strings], np.object_)
    assert array_of(json.loads(dumps(array))).tolist() == array.tolist()


def test_a_body_has_its_inputs_by_name() -> None:
    inputs: dict[str, Array] = {'a "b"': np.array([[1, 2]], np.uint8), "x": np.array(0.5)}
    assert json.loads(predict_body("serving_default", inputs)) == {
        "signature_name": "serving_default",
        "inputs": {'a "b"': [[1, 2]], "x": 0.5},
    }
    assert json.loads(predict_body("s", {})) == {"signature_name": "s", "inputs": {}}
