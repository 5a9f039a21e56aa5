"""Puts requests that arrive together into one run of the graph (`--enable_batching`).

The rules are those of the original's `SharedBatchScheduler`: a batch is run once it is full, once
the next request does not fit into it, or once its first request has waited long enough.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.metrics import Metrics
from serving.local.runtime.batches import BatchTask, join, padded_size, require_sizes, split
from serving.local.runtime.saved_model import Servable
from serving.wire import messages_pb2 as pb
from serving.wire.operations_pb2 import BatchingParameters
from serving.wire.tensors import Array

log = logging.getLogger(__name__)


class BatchedServable:
    """A servable that combines the runs of several requests into one batch."""

    def __init__(self, servable: Servable, options: BatchingParameters, metrics: Metrics) -> None:
        """Wraps a servable; raises `StatusError` if the options contradict each other."""
        require_sizes(options)
        self.signatures: Mapping[str, pb.SignatureDef] = servable.signatures
        self._servable = servable
        self._options = options
        self._metrics = metrics
        self._queues: dict[tuple[str, ...], _Queue] = {}
        self._work = threading.Condition()
        self._closed = False
        for number in range(options.num_batch_threads.value):
            threading.Thread(target=self._serve, name=f"batch {number}", daemon=True).start()

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], deadline: Deadline = NO_DEADLINE
    ) -> list[Array]:
        """Runs the graph as part of a batch; see `SavedModel.run`."""
        task = BatchTask(feeds, deadline)
        signature = (*sorted(feeds), "->", *fetches)
        with self._work:
            queue = self._queues.setdefault(signature, _Queue(fetches, self._options))
            queue.add(task)
            self._work.notify()
        # The deadline is checked when the batch is due, and then limits the batch's run.
        return task.answer.result()

    def close(self) -> None:
        """Ends the threads and frees the model."""
        with self._work:
            self._closed = True
            self._work.notify_all()
        self._servable.close()

    def _serve(self) -> None:
        while (due := self._next()) is not None:
            self._answer(*due)
            # Otherwise the tensors of the last batch would stay in memory until the next one.
            del due

    def _answer(self, queue: _Queue, batch: Sequence[BatchTask]) -> None:
        waiting = [task for task in batch if not task.fail_if_unwanted()]
        try:
            if waiting:
                self._run(queue.fetches, waiting)
        except Exception as error:
            # A thread that ended here would leave all later requests waiting.
            if not isinstance(error, StatusError):
                log.exception("A batch failed")
            for task in waiting:
                task.fail(error)

    def _next(self) -> tuple[_Queue, list[BatchTask]] | None:
        """Waits for a batch that is due; returns None once the servable is closed."""
        with self._work:
            while not self._closed:
                now = time.monotonic()
                waits = [(queue.due_at(), queue) for queue in self._queues.values() if queue]
                earliest, queue = min(waits, key=lambda wait: wait[0], default=(now + 60, None))
                if queue is not None and earliest <= now:
                    return queue, queue.popleft()
                self._work.wait(earliest - now)
        return None

    def _run(self, fetches: Sequence[str], batch: Sequence[BatchTask]) -> None:
        size = sum(task.rows for task in batch)
        padded = padded_size(size, self._options)
        feeds = join(batch, padded - size, pad=self._options.pad_variable_length_inputs)
        now = time.monotonic()
        last = max(task.deadline.end for task in batch)
        outputs = self._servable.run(feeds, fetches, Deadline(last))
        self._metrics.batch([now - task.since for task in batch])
        split(batch, outputs, padded)


class _Queue(deque[list[BatchTask]]):
    """Batches of one signature, oldest first; requests join the last."""

    def __init__(self, fetches: Sequence[str], options: BatchingParameters) -> None:
        super().__init__()
        self.fetches = fetches
        self._options = options

    def add(self, task: BatchTask) -> None:
        options = self._options
        limit, most = options.max_batch_size.value, options.max_enqueued_batches.value
        if task.rows > limit:
            text = f"Task size {task.rows} is larger than maximum input batch size {limit}"
            raise invalid_argument(text)
        if self and _size(self[-1]) + task.rows <= limit:
            self[-1].append(task)
            return
        if len(self) >= most:
            text = f"The batch scheduling queue is full: {most} batches (max_enqueued_batches)"
            raise StatusError(Code.UNAVAILABLE, text)
        self.append([task])

    def due_at(self) -> float:
        """Returns the monotonic time in seconds at which the oldest batch must run."""
        oldest = self[0]
        if len(self) > 1 or _size(oldest) >= self._options.max_batch_size.value:
            return 0.0
        return oldest[0].since + self._options.batch_timeout_micros.value / 1e6


def _size(batch: Sequence[BatchTask]) -> int:
    return sum(task.rows for task in batch)
