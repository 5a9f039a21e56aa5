"""Joins requests into a batch of rows, splits the outputs again, and checks batching options."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

import numpy as np

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError, failed_precondition, invalid_argument
from serving.wire.operations_pb2 import BatchingParameters
from serving.wire.tensors import Array

_DEFAULTS = {"max_batch_size": 64, "batch_timeout_micros": 0, "max_enqueued_batches": 10}


def complete(options: BatchingParameters, cpus: int) -> None:
    """Sets missing numbers to their defaults; raises `StatusError` for one that is too small."""
    for name, default in {**_DEFAULTS, "num_batch_threads": cpus}.items():
        number = getattr(options, name)
        if not options.HasField(name):
            number.value = default
        least = 0 if name == "batch_timeout_micros" else 1
        if number.value < least:
            raise invalid_argument(f"{name} must be at least {least}; was {number.value}")


def require_sizes(options: BatchingParameters) -> None:
    """Requires sizes to end with `max_batch_size`; called at each load, as in the original."""
    sizes, most = options.allowed_batch_sizes, options.max_batch_size.value
    if sizes and sizes[-1] != most:
        raise invalid_argument(f"allowed_batch_sizes {sizes} must end with max_batch_size, {most}")


def padded_size(size: int, options: BatchingParameters) -> int:
    """Returns the first allowed size of at least `size`; `size` if there is none, 0 for 0."""
    sizes = options.allowed_batch_sizes if size else ()
    return next((allowed for allowed in sizes if allowed >= size), size)


@dataclasses.dataclass
class BatchTask:
    """One request in a batch.

    Attributes:
        feeds: arrays by tensor name.
        deadline: for the wait and the run.
        since: monotonic time of arrival in seconds.
        answer: the request's rows of each output.
        rows: the first dimension of all arrays.
    """

    feeds: Mapping[str, Array]
    deadline: Deadline = NO_DEADLINE
    since: float = dataclasses.field(default_factory=time.monotonic)
    answer: Future[list[Array]] = dataclasses.field(default_factory=Future)
    rows: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        """Counts the rows; raises `StatusError` if the inputs differ in their first dimension."""
        counts = {array.shape[:1] for array in self.feeds.values()}
        if len(counts) != 1 or () in counts:
            raise invalid_argument("Batching needs input tensors of equal 0th-dimension size")
        ((self.rows,),) = counts

    def fail(self, error: Exception) -> None:
        """Answers with a copy of an error, since each thread adds its traceback to the error."""
        self.answer.set_exception(StatusError.of(error))

    def fail_if_unwanted(self) -> bool:
        """Fails the task if its client has gone or its deadline has passed; returns whether."""
        try:
            self.deadline.require()
        except StatusError as error:
            if error.code is Code.DEADLINE_EXCEEDED:
                text = "Run() timeout exceeded while waiting in batching queue"
                error = StatusError(Code.RESOURCE_EXHAUSTED, text)
            self.fail(error)
            return True
        return False


def join(batch: Sequence[BatchTask], extra: int, *, pad: bool) -> dict[str, Array]:
    """Concatenates the rows of all tasks, which have the same inputs.

    Appends `extra` copies of the first row of the last task that has rows. `pad` pads rows of
    different shapes with each task's first value. Raises `StatusError` for different shapes without
    `pad` or without a value; either fails the whole batch, as in the original (case 765).
    """
    return {
        name: _join(name, [t.feeds[name] for t in batch], extra, pad) for name in batch[0].feeds
    }


def _join(name: str, arrays: list[Array], extra: int, pad: bool) -> Array:
    shapes = {array.shape[1:] for array in arrays}
    if len(shapes) > 1:
        if not pad or len({array.ndim for array in arrays}) > 1:
            text = f"Tensors with name '{name}' from different tasks have different shapes"
            raise failed_precondition(f"{text}, which are not or cannot be padded: {shapes}")
        widest = tuple(np.max(list(shapes), axis=0))
        arrays = [_padded(array, widest) for array in arrays]
    if len(arrays) == 1 and not extra:
        return arrays[0]
    row = next((array[:1] for array in reversed(arrays) if len(array)), arrays[-1])
    return np.concatenate([*arrays, *[row] * extra])


def _padded(array: Array, shape: tuple[int, ...]) -> Array:
    if not array.size:
        raise invalid_argument("Got empty tensor in batch of non-empty tensors.")
    wide = np.full((array.shape[0], *shape), array.flat[0], array.dtype)
    wide[tuple(slice(size) for size in array.shape)] = array
    return wide


def split(batch: Sequence[BatchTask], outputs: Sequence[Array], count: int) -> None:
    """Answers each task with its rows; raises `StatusError` if an output has not `count` rows."""
    for output in outputs:
        if np.shape(output)[:1] != (count,):
            text = f"A batched output has shape {list(np.shape(output))} in place of {count} rows"
            raise failed_precondition(text)
    start = 0
    for task in batch:
        task.answer.set_result([output[start : start + task.rows] for output in outputs])
        start += task.rows
