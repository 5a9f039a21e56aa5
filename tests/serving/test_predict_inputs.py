"""A signature's inputs may have defaults, which a request may leave to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from serving.local.errors import StatusError
from serving.local.predict import predict
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
        self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout_ms: int = 0
    ) -> list[Array]:
        self.fed = feeds
        return []

    def close(self) -> None:
        pass


def test_what_is_left_out_takes_its_default() -> None:
    servable = Recorder("b")
    predict(servable, "serving_default", {"a": ONE})
    assert {name: array.tolist() for name, array in servable.fed.items()} == {
        "a:0": [1.0],
        "b:0": [7.0],
    }


@pytest.mark.parametrize(
    ("defaults", "sent", "reason"),
    [
        (
            ["b"],
            ["b"],
            "Signature input alias: a(feed name: a:0) not found in request and no default value "
            "provided. Inputs expected to be in the request {b}, or default input alias set: b",
        ),
        (
            ["b"],
            ["a", "c"],
            "Inputs contains invalid name. Used request inputs: a, request input: a,c",
        ),
        (
            [],
            ["a"],
            "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. "
            "Missing but required: {b}.",
        ),
        (
            ["b"],
            ["a", "b", "c"],
            "input size does not match signature: 3!=2 len({a,b,c}) != len({a,b}). "
            "Sent extra: {c}. Missing but required: {}.",
        ),
    ],
)
def test_what_has_no_default_must_be_sent_and_nothing_else(
    defaults: list[str], sent: list[str], reason: str
) -> None:
    with pytest.raises(StatusError) as refusal:
        predict(Recorder(*defaults), "serving_default", dict.fromkeys(sent, ONE))
    assert refusal.value.message == reason
