"""What the server can do, free of any protocol; REST and gRPC are thin skins over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from serving.local.errors import invalid_argument
from serving.local.inference import Result, Task, infer, listed
from serving.local.metrics import Metrics
from serving.local.predict import predict
from serving.local.servable import Servable
from serving.local.versions import Choice, Versions
from serving.wire import messages_pb2 as pb
from serving.wire.methods import CLASSIFY_METHOD, REGRESS_METHOD
from serving.wire.tensors import Array

_API = {CLASSIFY_METHOD: "Classify", REGRESS_METHOD: "Regress"}

Signatures = Mapping[str, pb.SignatureDef]


class Call(NamedTuple):
    """A prediction that is ready to run, once the version is known."""

    signature_name: str
    inputs: Mapping[str, Array]
    output_filter: Sequence[str] = ()


class Answer(NamedTuple):
    """Arrays by output name, and which version and signature gave them."""

    version: int
    signature_name: str
    outputs: dict[str, Array]


class DataPlane:
    """Predictions, metadata and states of the models in memory."""

    def __init__(self, versions: Versions, metrics: Metrics) -> None:
        self._versions = versions
        self._metrics = metrics

    def predict(
        self, choice: Choice, prepare: Callable[[Signatures], Call], timeout_ms: int = 0
    ) -> Answer:
        """Runs one prediction.

        Args:
            choice: which model and version.
            prepare: makes the call from the version's signatures; JSON needs them to know dtypes.
            timeout_ms: milliseconds until the run is given up; 0 waits for ever.

        Raises:
            StatusError: not served, or the request does not fit the model.
        """
        with self._lease(choice) as (version, servable):
            call = prepare(servable.signatures)
            with self._metrics.runtime(choice.model, "Predict"):
                outputs = predict(servable, *call, timeout_ms)
        return Answer(version, call.signature_name, outputs)

    def infer(
        self, choice: Choice, tasks: Sequence[Task], examples: pb.Input, timeout_ms: int = 0
    ) -> tuple[int, list[Result]]:
        """Classifies or regresses examples.

        Returns:
            The version that answered, and one result for each task.

        Raises:
            StatusError: not served, or the request does not fit the model.
        """
        with self._lease(choice) as (version, servable):
            api = _API.get(tasks[0].method, "") if len(tasks) == 1 else "MultiInference"
            with self._metrics.runtime(choice.model, api):
                results = infer(servable, tasks, examples, timeout_ms)
        self._metrics.examples(choice.model, len(listed(examples)))
        return version, results

    def metadata(self, choice: Choice) -> tuple[int, pb.SignatureDefMap]:
        """The signatures of a version, and its number.

        Raises:
            StatusError: not served.
        """
        with self._lease(choice) as (version, servable):
            return version, pb.SignatureDefMap(signature_def=servable.signatures)

    def require(self, choice: Choice) -> None:
        """Refuses a version that is not served, before anything else about a request is looked at.

        Raises:
            StatusError: not served.
        """
        with self._lease(choice):
            return

    def status(self, model: str, version: int | None = None) -> list[pb.ModelVersionStatus]:
        """States of a model's versions, newest first; labels play no part (256, 475).

        Raises:
            StatusError: no such version was ever seen.
        """
        return self._versions.statuses(model, version)

    def _lease(self, choice: Choice) -> AbstractContextManager[tuple[int, Servable]]:
        if not choice.model:
            raise invalid_argument("ModelSpec has no name specified.")
        return self._versions.lease(choice)
