"""The features of a classify or regress body: kinds, and the first fault."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from serving.local.errors import StatusError
from serving.local.inference import CLASSES, INPUTS, Task, infer
from serving.local.json_examples import read_examples, results
from serving.wire import messages_pb2 as pb
from serving.wire.methods import CLASSIFY_METHOD
from serving.wire.tensors import Array


def feature(value: Any) -> pb.Feature:
    """What becomes of the feature `x` of one example."""
    text = json.dumps({"examples": [{"x": value}]}).encode()
    _, examples = read_examples(text)
    (example,) = examples.example_list.examples
    return example.features.feature["x"]


def test_whole_numbers_and_truths_are_integers() -> None:
    assert list(feature([1, True, -(2**63)]).int64_list.value) == [1, 1, -(2**63)]


def test_numbers_beyond_64_bits_are_floats() -> None:
    assert list(feature([2**64, -(2**63) - 1]).float_list.value) == [2.0**64, -(2.0**63)]
    assert list(feature([0.5, math.nan, 2**70]).float_list.value)[::2] == [0.5, 2.0**70]


def test_strings_and_base64_are_bytes() -> None:
    assert list(feature(["é", {"b64": "/w=="}]).bytes_list.value) == ["é".encode(), b"\xff"]


def test_an_empty_list_is_a_feature_of_no_kind() -> None:
    assert feature([]).WhichOneof("kind") is None


def test_of_a_feature_that_comes_twice_the_last_counts() -> None:
    text = b'{"context": {"c": 1, "c": 2}, "examples": [{"x": ["a"], "x": 1.5}]}'
    _, examples = read_examples(text)
    listed = examples.example_list_with_context
    assert list(listed.context.features.feature["c"].int64_list.value) == [2]
    assert list(listed.examples[0].features.feature["x"].float_list.value) == [1.5]


def test_a_feature_that_comes_twice_must_be_right_both_times() -> None:
    with pytest.raises(StatusError, match="has element with unexpected JSON type: Null"):
        read_examples(b'{"examples": [{"x": null, "x": 1}]}')


MIXED = "Unexpected element type in feature: x expecting type: "


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1.5, 2**63], MIXED + "float"),
        ([1, {"b64": "!"}], MIXED + "int64"),
        (["a", 1], MIXED + "bytes"),
        ([2**63], "Feature: x has uint64 element. Only int64 is supported."),
        ([1, [2]], "Feature: x has element with unexpected JSON type: Array"),
        (None, "Feature: x has element with unexpected JSON type: Null"),
        ({"b64": "aGk=", "y": 1}, "Feature: x has element with unexpected JSON type: Object"),
        ({"b64": "!"}, "Unable to base64 decode"),
    ],
)
def test_the_kind_is_looked_at_before_the_value(value: Any, reason: str) -> None:
    with pytest.raises(StatusError) as refusal:
        feature(value)
    assert refusal.value.message == reason


class Labels:
    """A servable that gives every example one label, which is no text."""

    def __init__(self) -> None:
        signature = pb.SignatureDef(method_name=CLASSIFY_METHOD)
        signature.inputs[INPUTS].dtype = pb.DT_STRING
        signature.outputs[CLASSES].name = "classes:0"
        self.signatures: Mapping[str, pb.SignatureDef] = {"serving_default": signature}

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout_ms: int = 0
    ) -> list[Array]:
        return [np.array([[b"\xff"]], np.object_)]

    def close(self) -> None:
        pass


def test_a_label_that_is_no_text_passes_through() -> None:
    _, examples = read_examples(b'{"examples": [{}]}')
    (result,) = infer(Labels(), [Task(CLASSIFY_METHOD)], examples)
    assert results(result) == b'{\n    "results": [[["\xff", 0.0]]\n    ]\n}'
    assert b"\n\x01\xff" in result.SerializeToString()
