"""The runs of a version in turn: the request that has waited longest is computed next.

TensorFlow begins all runs that it is asked for, and a thread that has nothing to do goes on with
whatever was begun last. Under load some would then wait several times as long as others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

from serving.concurrency import FairSemaphore
from serving.local.deadline import NO_DEADLINE, TIMED_OUT, Deadline
from serving.local.errors import Code, StatusError
from serving.local.runtime.saved_model import Servable
from serving.local.threads import Parallelism, usable_cores
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import Array

PER_THREAD = 3
"""Runs at once for each of TensorFlow's threads: with fewer a thread waits for the next to begin,
with more the last requests pass others again."""

LARGE_ROWS = 16
"""Runs of more rows go one at a time: each of 64 pictures takes half a gigabyte."""


class FairScheduler:
    """A servable that begins no more runs at once than keep TensorFlow's threads busy."""

    def __init__(self, servable: Servable, parallelism: Parallelism) -> None:
        """Wraps a servable that runs with that many threads."""
        self.signatures: Mapping[str, pb.SignatureDef] = servable.signatures
        self._servable = servable
        threads = parallelism.inter_op if parallelism.inter_op > 0 else usable_cores()
        self._semaphore = FairSemaphore(PER_THREAD * threads)
        self._large = FairSemaphore(1)

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], deadline: Deadline = NO_DEADLINE
    ) -> list[Array]:
        """Runs the graph once it is its turn, which counts as part of the run.

        Raises:
            StatusError: see `SavedModel.run`; the time is over, or the request was cancelled,
                before its turn, and then it never runs.
        """
        rows = max((len(array) for array in feeds.values() if array.ndim), default=0)
        large = _place(self._large, deadline) if rows > LARGE_ROWS else nullcontext()
        with large, _place(self._semaphore, deadline):
            return self._servable.run(feeds, fetches, deadline)

    def close(self) -> None:
        """Frees the model."""
        self._servable.close()


@contextmanager
def _place(semaphore: FairSemaphore, deadline: Deadline) -> Iterator[None]:
    got = semaphore.acquire(deadline.seconds_left(), deadline.is_cancelled)
    try:
        deadline.require()
        if not got:  # The wait may end a moment before the time does.
            raise StatusError(Code.DEADLINE_EXCEEDED, TIMED_OUT)
        yield
    finally:
        if got:
            semaphore.release()
