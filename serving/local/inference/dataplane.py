"""The versions that answer requests; `rest` and `grpc` only translate."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from serving.local.errors import invalid_argument
from serving.local.inference.signature import DEFAULT_TENSOR_LIMITS, TensorLimits
from serving.local.lifecycle.versions import Choice, Versions
from serving.local.metrics import Metrics
from serving.local.runtime.saved_model import Servable
from serving.wire import messages_pb2 as pb

Signatures = Mapping[str, pb.SignatureDef]


@dataclasses.dataclass(frozen=True)
class Served:
    """A version that stays in memory while a request uses it.

    Attributes:
        limits: the largest tensors of a request.
        metrics: counts the runs, under the name `model`; by default they are not counted.
    """

    servable: Servable
    limits: TensorLimits = DEFAULT_TENSOR_LIMITS
    metrics: Metrics = dataclasses.field(default_factory=Metrics)
    model: str = ""
    version: int = 0

    @property
    def signatures(self) -> Signatures:
        """The version's signatures by name."""
        return self.servable.signatures


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
            yield Served(servable, self._limits, self._metrics, choice.model, version)
