"""Puts requests that arrive together into one run of the graph (`--enable_batching`).

Rules and texts are those of the original's `SharedBatchScheduler` and `BatchingSession` (recorded
cases 760 to 785): a batch is run once it is full, once the next request does not fit into it, or
once its first request has waited long enough.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from serving.local.batches import Task, join, milliseconds_left, rows, split
from serving.local.batching_options import BatchingOptions
from serving.local.errors import Code, StatusError, failed_precondition, invalid_argument
from serving.local.metrics import BATCH_COUNT, Metrics
from serving.local.servable import Servable
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import Array

log = logging.getLogger(__name__)


class BatchedServable:
    """A servable whose runs wait for company."""

    def __init__(self, servable: Servable, options: BatchingOptions, metrics: Metrics) -> None:
        """Wraps a servable, and has `metrics` tell of its batches.

        Raises:
            StatusError: the options contradict themselves.
        """
        options.require_sizes()
        self.signatures: Mapping[str, pb.SignatureDef] = servable.signatures
        self._servable = servable
        self._options = options
        self._metrics = metrics
        self._queues: dict[tuple[str, ...], _Queue] = {}
        self._work = threading.Condition()
        self._closed = False
        for number in range(options.num_batch_threads):
            threading.Thread(target=self._serve, name=f"batch {number}", daemon=True).start()

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout_ms: int = 0
    ) -> list[Array]:
        """Runs the graph as part of a batch; see `SavedModel.run`."""
        task = Task(feeds, timeout_ms, rows(feeds))
        signature = (*sorted(feeds), "->", *fetches)
        with self._work:
            queue = self._queues.setdefault(signature, _Queue(fetches, self._options))
            queue.add(task)
            self._work.notify()
        # The time-out is looked at when the batch is due, and then holds for its run.
        task.done.wait()
        if task.error is not None:
            raise StatusError(task.error.code, task.error.message)
        return task.outputs

    def close(self) -> None:
        """Ends the threads and frees the model."""
        with self._work:
            self._closed = True
            self._work.notify_all()
        self._servable.close()

    def _serve(self) -> None:
        while (due := self._next()) is not None:
            queue, batch = due
            try:
                self._note_waits(batch)
                self._run(queue.fetches, batch)
            except StatusError as error:
                _fail(batch, error)
            except Exception as error:
                # A thread that ended here would leave all later requests waiting.
                log.exception("A batch failed")
                _fail(batch, StatusError(Code.INTERNAL, f"{type(error).__name__}: {error}"))
            for task in batch:
                task.done.set()

    def _next(self) -> tuple[_Queue, list[Task]] | None:
        """Waits for a batch that is due."""
        with self._work:
            while not self._closed:
                now = time.monotonic()
                waits = [
                    (queue.due_at(), queue) for queue in self._queues.values() if queue.batches
                ]
                earliest, queue = min(waits, key=lambda wait: wait[0], default=(now + 60, None))
                if queue is not None and earliest <= now:
                    return queue, queue.batches.popleft()
                self._work.wait(earliest - now)
        return None

    def _note_waits(self, batch: Sequence[Task]) -> None:
        now = time.monotonic()
        for task in batch:
            self._metrics.queued(now - task.since)

    def _run(self, fetches: Sequence[str], batch: Sequence[Task]) -> None:
        limit = milliseconds_left(batch)
        size = sum(task.rows for task in batch)
        padded = self._options.padded(size) if size else 0
        feeds = join(batch, padded - size, pad=self._options.pad_variable_length_inputs)
        try:
            outputs = self._servable.run(feeds, fetches, limit)
        finally:
            # The original counts a run that fails, too.
            self._metrics.count(BATCH_COUNT)
        for output in outputs:
            _require_rows(output, padded)
        split(batch, outputs)


class _Queue:
    """Batches of one signature, oldest first; requests join the last."""

    def __init__(self, fetches: Sequence[str], options: BatchingOptions) -> None:
        self.fetches = fetches
        self.batches: deque[list[Task]] = deque()
        self._options = options

    def add(self, task: Task) -> None:
        limit = self._options.max_batch_size
        if task.rows > limit:
            text = f"Task size {task.rows} is larger than maximum input batch size {limit}"
            raise invalid_argument(text)
        if self.batches and self._size(self.batches[-1]) + task.rows <= limit:
            self.batches[-1].append(task)
            return
        if len(self.batches) >= self._options.max_enqueued_batches:
            raise StatusError(
                Code.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted is full; currently "
                f"{len(self.batches)} batches enqueued and max_enqueued_batches is "
                f"{self._options.max_enqueued_batches}",
            )
        self.batches.append([task])

    def due_at(self) -> float:
        """When the oldest batch is to run, in monotonic seconds."""
        oldest = self.batches[0]
        closed = len(self.batches) > 1 or self._size(oldest) >= self._options.max_batch_size
        return 0.0 if closed else oldest[0].since + self._options.batch_timeout_micros / 1e6

    @staticmethod
    def _size(batch: Sequence[Task]) -> int:
        return sum(task.rows for task in batch)


def _fail(batch: Sequence[Task], error: StatusError) -> None:
    for task in batch:
        task.error = error


def _require_rows(output: Array, count: int) -> None:
    if np.ndim(output) == 0:
        raise failed_precondition("Batched output tensor has 0 dimensions")
    if output.shape[0] != count:
        raise failed_precondition(
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension "
            "sizes of the input tensors"
        )
