"""Requests to one batch of rows, and the rows of the answer back to the requests."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np

from serving.local.errors import Code, StatusError, failed_precondition, invalid_argument
from serving.wire.tensors import Array


@dataclasses.dataclass
class Task:
    """One request in a batch.

    Attributes:
        feeds: arrays by tensor name, all with the same first dimension.
        timeout_ms: milliseconds for the run; 0 for no limit.
        rows: that first dimension.
        since: monotonic seconds at which it arrived.
    """

    feeds: Mapping[str, Array]
    timeout_ms: int
    rows: int
    since: float = dataclasses.field(default_factory=time.monotonic)
    done: threading.Event = dataclasses.field(default_factory=threading.Event)
    outputs: list[Array] = dataclasses.field(default_factory=list)
    error: StatusError | None = None


def rows(feeds: Mapping[str, Array]) -> int:
    """The number of rows that all inputs share.

    Raises:
        StatusError: they do not share any (recorded cases 766, 767).
    """
    if any(array.ndim == 0 for array in feeds.values()):
        raise invalid_argument("Batching Run() input tensors must have at least one dimension")
    counts = {array.shape[0] for array in feeds.values()}
    if len(counts) > 1:
        raise invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
    if not counts:
        raise invalid_argument("Batching Run() must have at least one input tensor")
    return int(counts.pop())


def join(batch: Sequence[Task], extra: int, *, pad: bool) -> dict[str, Array]:
    """Puts the rows of all tasks after each other.

    Args:
        batch: tasks with the same inputs.
        extra: rows to add, copies of the first row of the last task that has any.
        pad: make rows of different shapes equal by repeating each task's first value; else they
            are refused.

    Raises:
        StatusError: the shapes differ and `pad` is off (recorded cases 765, 775), or there is no
            value to repeat; either fails all of the batch.
    """
    return {
        name: _join(name, [t.feeds[name] for t in batch], extra, pad) for name in batch[0].feeds
    }


def _join(name: str, arrays: list[Array], extra: int, pad: bool) -> Array:
    if pad:
        arrays = _of_one_shape(arrays)
    elif len({array.shape[1:] for array in arrays}) > 1:
        raise failed_precondition(
            f"Tensors with name '{name}' from different tasks have different shapes and padding is "
            "turned off. Set pad_variable_length_inputs to true, or ensure that all tensors with "
            "the same name have equal dimensions starting with the first dim."
        )
    if len(arrays) == 1 and not extra:
        return arrays[0]
    row = next((array[:1] for array in reversed(arrays) if len(array)), arrays[-1])
    return np.concatenate([*arrays, *[row] * extra])


def _of_one_shape(arrays: list[Array]) -> list[Array]:
    if len({array.ndim for array in arrays}) > 1:
        text = "Tensors with the same name have different ranks and cannot be padded."
        raise failed_precondition(text)
    shape = tuple(np.max([array.shape[1:] for array in arrays], axis=0))
    return [_padded(array, shape) for array in arrays]


def _padded(array: Array, shape: tuple[int, ...]) -> Array:
    if array.shape[1:] == shape:
        return array
    if not array.size:
        raise invalid_argument("Got empty tensor in batch of non-empty tensors.")
    wide = np.full((array.shape[0], *shape), array.flat[0], array.dtype)
    wide[tuple(slice(size) for size in array.shape)] = array
    return wide


def milliseconds_left(batch: Sequence[Task]) -> int:
    """How long a batch may run, 0 for ever: until the last of its tasks is out of time.

    Raises:
        StatusError: all are, after the time they spent in the queue.
    """
    if not all(task.timeout_ms for task in batch):
        return 0
    left = max(task.since + task.timeout_ms / 1000 for task in batch) - time.monotonic()
    if left <= 0:
        text = "Run() timeout exceeded while waiting in batching queue"
        raise StatusError(Code.RESOURCE_EXHAUSTED, text)
    return max(1, int(1000 * left))


def split(batch: Sequence[Task], outputs: Sequence[Array]) -> None:
    """Gives each task its rows of every output."""
    start = 0
    for task in batch:
        task.outputs = [output[start : start + task.rows] for output in outputs]
        start += task.rows
