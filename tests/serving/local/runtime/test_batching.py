"""Requests that share a run: what happens to each of them if the run fails."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError
from serving.local.metrics import Metrics
from serving.local.runtime.batches import BatchTask, complete, join
from serving.local.runtime.batching import BatchedServable
from serving.local.runtime.saved_model import SavedModel
from serving.wire.operations_pb2 import BatchingParameters
from serving.wire.tensors import Array
from tests.support.servers import wait_until


def options(text: str) -> BatchingParameters:
    """The content of a file, completed."""
    made = text_format.Parse(text, BatchingParameters())
    complete(made, cpus=1)
    return made


OPTIONS = options(
    "max_batch_size { value: 2 } batch_timeout_micros { value: 60000000 } "
    "pad_variable_length_inputs: true"
)
AT_ONCE = options("max_batch_size { value: 4 } allowed_batch_sizes: 4")

Ask = Callable[[BatchedServable, Array], Array]


@pytest.fixture
def batched(small_models: Path) -> Iterator[Callable[[BatchingParameters], BatchedServable]]:
    """Loads version 1 of `half`, which adds 2."""
    made: list[BatchedServable] = []

    def load(options: BatchingParameters) -> BatchedServable:
        made.append(BatchedServable(SavedModel(small_models / "half" / "1"), options, Metrics()))
        return made[-1]

    yield load
    for servable in made:
        servable.close()


class Endless(SavedModel):
    """A model whose every run is given up."""

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], deadline: Deadline = NO_DEADLINE
    ) -> list[Array]:
        """Takes all the time that it may."""
        time.sleep(deadline.seconds_left() or 0)
        raise StatusError(Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")


def ask(servable: BatchedServable, x: Array, timeout_ms: int = 30_000) -> Array:
    signature = servable.signatures["serving_default"]
    feeds = {signature.inputs["x"].name: x}
    return servable.run(feeds, [signature.outputs["y"].name], Deadline.after(timeout_ms))[0]


def failures(servable: BatchedServable, *inputs: Array) -> list[StatusError]:
    """What becomes of requests that fill a batch together."""
    with ThreadPoolExecutor(len(inputs)) as pool:
        asked = [pool.submit(ask, servable, x) for x in inputs]
        errors = [future.exception() for future in asked]
    return [error for error in errors if isinstance(error, StatusError)]


def of_shape(*shape: int) -> Array:
    return np.zeros(shape, np.float32)


def test_an_input_without_a_value_to_repeat_fails_its_batch_with_the_reason(
    batched: Callable[[BatchingParameters], BatchedServable],
) -> None:
    errors = failures(batched(OPTIONS), of_shape(1, 3), of_shape(1, 0))
    assert [error.code for error in errors] == [Code.INVALID_ARGUMENT] * 2
    assert errors[0].message == "Got empty tensor in batch of non-empty tensors."


def test_a_batch_that_memory_does_not_hold_fails_and_the_next_one_is_run(
    batched: Callable[[BatchingParameters], BatchedServable],
) -> None:
    servable = batched(OPTIONS)
    # Padded to one shape they would take a million gigabytes.
    errors = failures(servable, of_shape(1, 2**24, 1), of_shape(1, 1, 2**24))
    assert [error.code for error in errors] == [Code.INTERNAL] * 2
    assert "MemoryError" in errors[0].message
    assert ask(servable, np.array([2, 4], np.float32)).tolist() == [3.0, 4.0]


def test_the_tensors_of_a_batch_do_not_stay_in_memory_until_the_next_one(
    batched: Callable[[BatchingParameters], BatchedServable],
) -> None:
    servable, x = batched(AT_ONCE), of_shape(4)
    alive = weakref.ref(x)
    ask(servable, x)
    del x
    for _ in wait_until("the batch to be freed", time.monotonic() + 30):
        gc.collect()
        if alive() is None:
            break


def test_a_batch_of_no_rows_is_not_filled_up(
    batched: Callable[[BatchingParameters], BatchedServable],
) -> None:
    servable = batched(AT_ONCE)
    assert ask(servable, of_shape(0)).tolist() == []
    assert ask(servable, of_shape(3)).tolist() == [2.0] * 3


def test_the_sizes_of_batches_may_come_in_any_order_before_the_largest(
    batched: Callable[[BatchingParameters], BatchedServable],
) -> None:
    servable = batched(options("max_batch_size { value: 4 } allowed_batch_sizes: [3, 1, 4]"))
    assert ask(servable, of_shape(1)).tolist() == [2.0]


def test_a_request_whose_time_is_over_in_the_queue_hears_it_when_its_batch_is_due(
    batched: Callable[[BatchingParameters], BatchedServable],
) -> None:
    servable = batched(options("batch_timeout_micros { value: 200000 }"))
    with pytest.raises(StatusError, match="timeout exceeded while waiting in batching") as failure:
        ask(servable, of_shape(1), timeout_ms=1)
    assert failure.value.code is Code.RESOURCE_EXHAUSTED


def test_a_request_whose_time_is_over_while_it_runs_hears_that_the_run_was_given_up(
    small_models: Path,
) -> None:
    servable = BatchedServable(Endless(small_models / "half" / "1"), AT_ONCE, Metrics())
    with pytest.raises(StatusError) as failure:
        ask(servable, of_shape(1), timeout_ms=200)
    servable.close()
    assert failure.value.code is Code.DEADLINE_EXCEEDED


def test_a_request_that_is_cancelled_in_the_queue_does_not_run_and_others_do(
    batched: Callable[[BatchingParameters], BatchedServable],
) -> None:
    servable = batched(OPTIONS)
    signature = servable.signatures["serving_default"]
    feeds, fetches = {signature.inputs["x"].name: of_shape(1)}, [signature.outputs["y"].name]
    with ThreadPoolExecutor(2) as pool:
        gone = pool.submit(servable.run, feeds, fetches, Deadline(is_cancelled=lambda: True))
        asked = pool.submit(servable.run, feeds, fetches)
        error = gone.exception(30)
        assert asked.result(30)[0].tolist() == [2.0]
    assert isinstance(error, StatusError)
    assert error.code is Code.CANCELLED


def test_fields_that_change_no_answer_are_taken() -> None:
    text = "enable_large_batch_splitting { value: true } max_execution_batch_size { value: 2 }"
    assert options(text).max_batch_size.value == 64


@pytest.mark.parametrize("last", [[4.0, 5.0], []])
def test_a_batch_is_filled_up_by_the_last_row_giver(last: list[float]) -> None:
    arrays = [np.array(values, np.float32) for values in ([1.0, 2.0], last)]
    tasks = [BatchTask({"x": array}) for array in arrays]
    row = last[0] if last else 1.0
    assert join(tasks, 2, pad=False)["x"].tolist() == [1.0, 2.0, *last, row, row]
