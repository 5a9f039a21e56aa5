"""The runs of a version in turn: who has waited longest is computed next.

TensorFlow begins all runs that it is asked for, and a thread that has nothing to do goes on with
whatever was begun last. In a crowd some then wait for several times as long as others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from serving.local.cores import Parallelism, usable_cores
from serving.local.errors import Code, StatusError
from serving.local.servable import Servable
from serving.places import Places
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import Array

PER_THREAD = 3
"""Runs at once for each of TensorFlow's threads: with fewer a thread waits for the next to begin,
with more those that came last pass others again."""


class InTurn:
    """A servable that begins no more runs at once than keep TensorFlow's threads busy."""

    def __init__(self, servable: Servable, parallelism: Parallelism) -> None:
        """Wraps a servable that runs with that many threads."""
        self.signatures: Mapping[str, pb.SignatureDef] = servable.signatures
        self._servable = servable
        threads = parallelism.inter_op if parallelism.inter_op > 0 else usable_cores()
        self._places = Places(PER_THREAD * threads)

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout_ms: int = 0
    ) -> list[Array]:
        """Runs the graph once it is its turn, which counts as part of the run.

        See `SavedModel.run`.
        """
        with self._place(timeout_ms) as left_ms:
            return self._servable.run(feeds, fetches, left_ms)

    def close(self) -> None:
        """Frees the model."""
        self._servable.close()

    @contextmanager
    def _place(self, timeout_ms: int) -> Iterator[int]:
        """Gives what is left of the time. TensorFlow, too, takes 0 and less for no end of it."""
        started, has_end = time.monotonic(), timeout_ms > 0
        if not self._places.take(timeout_ms / 1000 if has_end else None):
            # The words of a run that is given up (recorded case 740).
            raise StatusError(Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")
        try:
            waited_ms = int(1000 * (time.monotonic() - started))
            yield max(1, timeout_ms - waited_ms) if has_end else 0
        finally:
            self._places.give_back()
