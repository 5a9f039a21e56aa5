"""Loads a version from disk and warms it up before it serves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from serving.local.errors import Code, StatusError
from serving.local.inference.signature import DEFAULT_TENSOR_LIMITS, TensorLimits
from serving.local.inference.warmup import warm_up
from serving.local.metrics import Metrics
from serving.local.runtime import allocator
from serving.local.runtime.batches import BatchingOptions
from serving.local.runtime.batching import BatchedServable
from serving.local.runtime.fair_scheduler import FairScheduler
from serving.local.runtime.saved_model import SavedModel, Servable
from serving.local.threads import DEFAULT_PARALLELISM, Parallelism

if TYPE_CHECKING:
    from serving.signing.versions import Verifier


@dataclasses.dataclass(frozen=True)
class SavedModelLoader:
    """Loads a version's directory as a servable.

    Without `batching` each request runs alone; `bfloat16` applies to the warm-up too; with `verify`
    a version must be signed.
    """

    warmup: bool = True
    batching: BatchingOptions | None = None
    parallelism: Parallelism = DEFAULT_PARALLELISM
    limits: TensorLimits = DEFAULT_TENSOR_LIMITS
    metrics: Metrics = dataclasses.field(default_factory=Metrics)
    bfloat16: bool = False
    verify: Verifier | None = None

    def __call__(self, path: Path) -> Servable:
        """Loads a version; raises `StatusError` if the load or a warm-up request fails.

        A version that differs from its signature is refused before it runs: `UNAUTHENTICATED`.
        """
        if self.verify is not None:
            _require_signed(self.verify, path)
        model = SavedModel(path, self.parallelism, bfloat16=self.bfloat16)
        servable: Servable = FairScheduler(model, self.parallelism)
        # Frees the memory of the load before the warm-up allocates its own.
        allocator.return_freed()
        try:
            if self.batching is not None:
                servable = BatchedServable(servable, self.batching, self.metrics)
            if self.warmup:
                warm_up(servable, path, self.metrics, self.limits)
        except Exception:
            servable.close()
            raise
        allocator.return_freed()
        return servable


def _require_signed(verify: Verifier, path: Path) -> None:
    from serving.signing.manifest import Untrusted

    try:
        verify(path)
    except Untrusted as error:
        raise StatusError(Code.UNAUTHENTICATED, str(error)) from error
