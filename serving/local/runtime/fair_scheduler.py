"""Schedules the runs of a version: the request that has waited longest runs next.

TensorFlow itself starts all runs immediately, and an idle thread continues the run that was started
last. Under load some requests would then wait several times as long as others.
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
"""Simultaneous runs per TensorFlow thread: with fewer a thread waits for the start of the next run,
with more the last requests overtake others again."""

LARGE_ROWS = 16
"""Runs of more rows run one at a time: a run of 64 pictures takes half a gigabyte."""


class FairScheduler:
    """A servable with only as many simultaneous runs as keep TensorFlow's threads busy."""

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
        """Runs the graph when the request's turn comes; the deadline includes the wait.

        Raises:
            StatusError: see `SavedModel.run`; or the deadline passes, or the request is cancelled,
                before its turn, and then the request never runs.
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
        if not got:  # The wait may end just before the deadline.
            raise StatusError(Code.DEADLINE_EXCEEDED, TIMED_OUT)
        yield
    finally:
        if got:
            semaphore.release()
