"""Inputs of a signature may have defaults, and a request may omit such inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError
from serving.local.inference.dataplane import Served
from serving.local.inference.predict import predict
from serving.wire import messages_pb2 as pb
from serving.wire.methods import PREDICT_METHOD
from serving.wire.tensors import Array, to_proto

ONE = np.array([1], np.float32)


class Recorder:
    """A servable that keeps what it is fed; `a` must be given, `b` has a default."""

    def __init__(self, *defaults: str) -> None:
        signature = pb.SignatureDef(method_name=PREDICT_METHOD)
        for alias in ("a", "b"):
            signature.inputs[alias].name = f"{alias}:0"
            signature.inputs[alias].dtype = pb.DT_FLOAT
        for alias in defaults:
            signature.defaults[alias].CopyFrom(to_proto(np.array([7], np.float32)))
        self.signatures: Mapping[str, pb.SignatureDef] = {"serving_default": signature}
        self.fed: Mapping[str, Array] = {}

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], deadline: Deadline = NO_DEADLINE
    ) -> list[Array]:
        self.fed = feeds
        return []

    def close(self) -> None:
        pass


def test_the_name_of_a_method_does_not_matter() -> None:
    servable = Recorder("a", "b")
    servable.signatures["serving_default"].method_name = "my/own/method"
    predict(Served(servable), "serving_default", {})
    assert servable.fed.keys() == {"a:0", "b:0"}


def test_what_is_left_out_takes_its_default() -> None:
    servable = Recorder("b")
    predict(Served(servable), "serving_default", {"a": ONE})
    assert {name: array.tolist() for name, array in servable.fed.items()} == {
        "a:0": [1.0],
        "b:0": [7.0],
    }


@pytest.mark.parametrize(
    ("defaults", "sent", "extra", "missing"),
    [
        (["b"], ["b"], "{}", "{a}"),
        (["b"], ["a", "c"], "{c}", "{}"),
        ([], ["a"], "{}", "{b}"),
        (["b"], ["a", "b", "c"], "{c}", "{}"),
    ],
)
def test_what_has_no_default_must_be_sent_and_nothing_else(
    defaults: list[str], sent: list[str], extra: str, missing: str
) -> None:
    with pytest.raises(StatusError) as refusal:
        predict(Served(Recorder(*defaults)), "serving_default", dict.fromkeys(sent, ONE))
    assert refusal.value.code is Code.INVALID_ARGUMENT
    told = f"Sent extra: {extra}. Missing but required: {missing}."
    assert refusal.value.message.endswith(told)
