"""Loads a version from disk and warms it up, so that it can serve at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from serving.local import memory
from serving.local.batching import BatchedServable
from serving.local.batching_options import BatchingOptions
from serving.local.cores import DEFAULT_PARALLELISM, Parallelism
from serving.local.metrics import Metrics
from serving.local.servable import SavedModel, Servable
from serving.local.turns import InTurn
from serving.local.warmup import warm_up

Loader = Callable[[Path], Servable]


@dataclasses.dataclass(frozen=True)
class SavedModelLoader:
    """Turns a version's directory into something that runs.

    Attributes:
        warmup: whether to replay the version's warm-up requests.
        batching: how to put requests together, or None to run each alone.
        parallelism: how many threads TensorFlow uses.
        metrics: times warm-ups, counts batches.
    """

    warmup: bool = True
    batching: BatchingOptions | None = None
    parallelism: Parallelism = DEFAULT_PARALLELISM
    metrics: Metrics = dataclasses.field(default_factory=Metrics)

    def __call__(self, path: Path) -> Servable:
        """Loads a version.

        Raises:
            StatusError: it cannot be loaded, or a warm-up request fails.
        """
        servable: Servable = InTurn(SavedModel(path, self.parallelism), self.parallelism)
        # What reading it took is not to lie beside what the warm-up takes.
        memory.return_freed()
        try:
            if self.batching is not None:
                servable = BatchedServable(servable, self.batching, self.metrics)
            if self.warmup:
                warm_up(servable, path, self.metrics)
        except Exception:
            servable.close()
            raise
        memory.return_freed()
        return servable
