"""The features of a classify or regress body: kinds, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import StatusError
from serving.local.inference.classify_regress import CLASSES, INPUTS, infer
from serving.local.inference.dataplane import Served
from serving.local.rest.json_bodies import read_examples
from serving.local.rest.json_replies import results
from serving.wire import messages_pb2 as pb
from serving.wire.methods import CLASSIFY_METHOD
from serving.wire.tensors import Array
from tests.serving.local.rest.bodies import request_of


def feature(value: Any) -> pb.Feature:
    """What becomes of the feature `x` of one example."""
    _, examples = read_examples(request_of({"examples": [{"x": value}]}))
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


MIXED = "Feature: x has an element of unexpected type: "


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1.5, 2**63], MIXED + "9223372036854775808 (among float_list)"),
        ([1, {"b64": "YQ=="}], MIXED + "an object with keys b64 (among int64_list)"),
        (["a", 1], MIXED + "1 (among bytes_list)"),
        ([2**63], MIXED + "9223372036854775808 ("),
        ([1, [2]], MIXED + "a list of 1 ("),
        (None, MIXED + "null ("),
        ({"b64": "aGk=", "y": 1}, MIXED + "an object with keys y,b64"),
        ({"b64": "!"}, MIXED + "an object with keys b64 (Only base64 data"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_an_element_of_another_type_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(StatusError) as refusal:
        feature(value)
    assert reason in refusal.value.message


class Labels:
    """A servable that gives every example one label, which is no text."""

    def __init__(self) -> None:
        signature = pb.SignatureDef(method_name=CLASSIFY_METHOD)
        signature.inputs[INPUTS].dtype = pb.DT_STRING
        signature.outputs[CLASSES].name = "classes:0"
        self.signatures: Mapping[str, pb.SignatureDef] = {"serving_default": signature}

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], deadline: Deadline = NO_DEADLINE
    ) -> list[Array]:
        return [np.array([[b"\xff"]], np.object_)]

    def close(self) -> None:
        pass


def test_a_label_that_is_no_text_passes_through() -> None:
    _, examples = read_examples(request_of({"examples": [{}]}))
    task = pb.InferenceTask(method_name=CLASSIFY_METHOD)
    (result,) = infer(Served(Labels()), [task], examples)
    assert results(result) == b'{"results": [[["\xff", 0.0]]]}'
    assert b"\n\x01\xff" in result.SerializeToString()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"signature_name": "s"},
            "expected at key 'examples'. Received: an object with keys signature_name",
        ),
        ({"examples": 5}, "a list with values is expected at key 'examples'. Received: 5"),
        (
            {"examples": []},
            "a list with values is expected at key 'examples'. Received: a list of 0",
        ),
        ({"examples": [5]}, "Example must be JSON object but got 5"),
    ],
)
def test_what_is_no_list_of_examples_is_refused(body: Any, reason: str) -> None:
    with pytest.raises(StatusError, match=reason):
        read_examples(request_of(body))
