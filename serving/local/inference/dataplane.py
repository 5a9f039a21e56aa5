"""The server's operations, independent of the protocol: `rest` and `grpc` only translate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import invalid_argument
from serving.local.inference.classify_regress import Result, infer, listed
from serving.local.inference.predict import Tensors, predict
from serving.local.inference.signature import DEFAULT_TENSOR_LIMITS, TensorLimits
from serving.local.lifecycle.versions import Choice, Versions
from serving.local.metrics import Metrics
from serving.local.runtime.saved_model import Servable
from serving.wire import messages_pb2 as pb
from serving.wire.methods import CLASSIFY_METHOD, REGRESS_METHOD
from serving.wire.tensors import Array

_API = {CLASSIFY_METHOD: "Classify", REGRESS_METHOD: "Regress"}

Signatures = Mapping[str, pb.SignatureDef]


class Served(NamedTuple):
    """A version that stays in memory while a request uses it."""

    model: str
    version: int
    servable: Servable
    metrics: Metrics
    limits: TensorLimits

    @property
    def signatures(self) -> Signatures:
        """The version's signatures by name."""
        return self.servable.signatures

    def predict(
        self,
        signature_name: str,
        inputs: Tensors,
        output_filter: Sequence[str] = (),
        deadline: Deadline = NO_DEADLINE,
    ) -> dict[str, Array]:
        """Runs one prediction; see `predict.predict`."""
        with self.metrics.runtime(self.model, "Predict"):
            return predict(
                self.servable, signature_name, inputs, output_filter, deadline, limits=self.limits
            )

    def infer(
        self,
        tasks: Sequence[pb.InferenceTask],
        examples: pb.Input,
        deadline: Deadline = NO_DEADLINE,
    ) -> list[Result]:
        """Classifies or regresses examples; see `classify_regress.infer`."""
        api = _API.get(tasks[0].method_name, "") if len(tasks) == 1 else "MultiInference"
        with self.metrics.runtime(self.model, api):
            results = infer(self.servable, tasks, examples, deadline, limits=self.limits)
        self.metrics.examples(self.model, len(listed(examples)))
        return results


class DataPlane:
    """The models in memory, and the states of all versions."""

    def __init__(
        self, versions: Versions, metrics: Metrics, limits: TensorLimits = DEFAULT_TENSOR_LIMITS
    ) -> None:
        self.versions = versions
        self._metrics = metrics
        self._limits = limits

    @contextmanager
    def lease(self, choice: Choice) -> Iterator[Served]:
        """Keeps a version in memory for the block; raises `StatusError` if it is not served."""
        if not choice.model:
            raise invalid_argument("ModelSpec has no name specified.")
        with self.versions.lease(choice) as (version, servable):
            yield Served(choice.model, version, servable, self._metrics, self._limits)
