"""Runs of a busy version are served in order of arrival, and none waits past its deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError
from serving.local.inference.loader import SavedModelLoader
from serving.local.runtime.fair_scheduler import LARGE_ROWS, PER_THREAD, FairScheduler
from serving.local.runtime.saved_model import SavedModel
from serving.local.settings import Settings
from serving.local.threads import Parallelism, usable_cores
from serving.wire.tensors import Array
from tests.support.servers import wait_until

ONE_THREAD = Parallelism(intra_op=1, inter_op=1)


class Held(SavedModel):
    """A model whose runs go on only when told to; it notes what they were asked."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun: list[float] = []
        self.times: list[int] = []
        self.go_on = threading.Semaphore(0)

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], deadline: Deadline = NO_DEADLINE
    ) -> list[Array]:
        """Waits, then computes."""
        (values,) = feeds.values()
        self.begun.append(float(values[0]))
        self.times.append(deadline.milliseconds_left())
        self.go_on.acquire()
        return super().run(feeds, fetches, deadline)


class Crowd:
    """A version with one thread, and those who ask it."""

    def __init__(self, path: Path, pool: ThreadPoolExecutor) -> None:
        self.model = Held(path)
        self.servable = FairScheduler(self.model, ONE_THREAD)
        self._pool = pool

    def ask(self, value: float, deadline: Deadline = NO_DEADLINE, rows: int = 1) -> Future[Array]:
        """One more asks."""
        return self._pool.submit(self._run, value, deadline, rows)

    def line_up(self, value: float, deadline: Deadline = NO_DEADLINE) -> Future[Array]:
        """One more asks, and has its place in line when this returns."""
        line = self.servable._semaphore._queue
        before, asked = len(line), self.ask(value, deadline)
        wait_for(lambda: len(line) > before)
        return asked

    def fill(self) -> None:
        """As many ask as are computed at once."""
        for _ in range(PER_THREAD):
            self.ask(-1)
        wait_for(lambda: len(self.model.begun) == PER_THREAD)

    def _run(self, value: float, deadline: Deadline, rows: int) -> Array:
        signature = self.servable.signatures["serving_default"]
        feeds = {signature.inputs["x"].name: np.array([value] * rows, np.float32)}
        fetches = [signature.outputs["y"].name]
        return self.servable.run(feeds, fetches, deadline)[0]


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in wait_until("the crowd", time.monotonic() + 30):
        if condition():
            return


@pytest.fixture
def crowd(small_models: Path) -> Iterator[Crowd]:
    """Version 1 of `half`, which halves and adds 2."""
    with ThreadPoolExecutor(16) as pool:
        made = Crowd(small_models / "half" / "1", pool)
        yield made
        made.model.go_on.release(100)
    made.servable.close()


def test_runs_beyond_the_places_begin_one_by_one_in_the_order_they_came(crowd: Crowd) -> None:
    crowd.fill()
    asked = [crowd.line_up(value) for value in range(4)]
    for number in range(4):
        assert crowd.model.begun[PER_THREAD:] == list(range(number))
        crowd.model.go_on.release()
        wait_for(lambda: len(crowd.model.begun) > PER_THREAD + number)  # noqa: B023
    crowd.model.go_on.release(4)
    assert [future.result()[0] for future in asked] == [2.0, 2.5, 3.0, 3.5]


def test_a_turn_that_comes_too_late_is_not_taken(crowd: Crowd) -> None:
    crowd.fill()
    error = crowd.ask(1, Deadline.after(50)).exception()
    assert isinstance(error, StatusError)
    assert error.code is Code.DEADLINE_EXCEEDED
    assert error.message == "Timed out waiting for notification"
    crowd.model.go_on.release(100)
    assert crowd.ask(2).result()[0] == 3.0
    assert crowd.model.begun == [*[-1] * PER_THREAD, 2]


def test_the_wait_is_part_of_the_time_that_a_run_has(crowd: Crowd) -> None:
    crowd.fill()
    asked = crowd.line_up(1, Deadline.after(60_000))
    time.sleep(0.2)
    crowd.model.go_on.release(PER_THREAD + 1)
    assert asked.result()[0] == 2.5
    assert crowd.model.times[:PER_THREAD] == [0] * PER_THREAD
    assert 0 < crowd.model.times[-1] <= 59_900


def test_a_request_that_is_cancelled_in_the_line_never_runs(crowd: Crowd) -> None:
    crowd.fill()
    gone = threading.Event()
    asked = crowd.line_up(1, Deadline(is_cancelled=gone.is_set))
    patient = crowd.line_up(2)
    gone.set()
    error = asked.exception(30)
    assert isinstance(error, StatusError)
    assert error.code is Code.CANCELLED
    crowd.model.go_on.release(100)
    assert patient.result()[0] == 3.0
    assert 1 not in crowd.model.begun


def test_a_request_that_is_cancelled_before_its_turn_gives_the_place_on(crowd: Crowd) -> None:
    crowd.model.go_on.release(100)
    for _ in range(PER_THREAD + 1):
        error = crowd.ask(1, Deadline(is_cancelled=lambda: True)).exception(30)
        assert isinstance(error, StatusError)
        assert error.code is Code.CANCELLED
    assert crowd.ask(2).result()[0] == 3.0


def test_large_batches_run_one_at_a_time_and_small_ones_beside_them(crowd: Crowd) -> None:
    large = [crowd.ask(value, rows=LARGE_ROWS + 1) for value in (1, 2)]
    wait_for(lambda: len(crowd.model.begun) == 1)
    small = crowd.ask(3)
    wait_for(lambda: len(crowd.model.begun) == 2)
    assert crowd.model.begun[1] == 3
    crowd.model.go_on.release(100)
    assert [len(future.result()) for future in large] == [LARGE_ROWS + 1] * 2
    assert small.result()[0] == 3.5


@pytest.mark.parametrize("timeout_ms", [0, -1])
def test_without_an_end_of_its_time_a_run_waits_for_its_turn(crowd: Crowd, timeout_ms: int) -> None:
    crowd.fill()
    asked = crowd.line_up(1, Deadline.after(timeout_ms))
    crowd.model.go_on.release(100)
    assert asked.result()[0] == 2.5
    assert crowd.model.times[-1] == 0


def test_a_run_that_fails_leaves_its_place(crowd: Crowd) -> None:
    crowd.model.go_on.release(100)
    feeds = {crowd.servable.signatures["serving_default"].inputs["x"].name: np.zeros(1, np.float32)}
    for _ in range(PER_THREAD + 1):
        with pytest.raises(StatusError, match="not found"):
            crowd.servable.run(feeds, ["nothing:0"], Deadline.after(10_000))
    assert crowd.ask(1, Deadline.after(10_000)).result()[0] == 2.5


def test_a_version_keeps_no_other_waiting(crowd: Crowd, small_models: Path) -> None:
    crowd.fill()
    other = FairScheduler(SavedModel(small_models / "half" / "2"), ONE_THREAD)
    signature = other.signatures["serving_default"]
    feeds = {signature.inputs["x"].name: np.array([1], np.float32)}
    assert other.run(feeds, [signature.outputs["y"].name], Deadline.after(10_000))
    other.close()


@pytest.mark.parametrize("inter_op", [0, -1])
def test_threads_that_nobody_counted_are_as_many_as_cores(
    small_models: Path, inter_op: int
) -> None:
    servable = FairScheduler(
        SavedModel(small_models / "half" / "1"), Parallelism(inter_op=inter_op)
    )
    assert servable._semaphore._free == PER_THREAD * usable_cores()
    servable.close()


def test_versions_of_a_server_are_run_in_turn(small_models: Path) -> None:
    load = SavedModelLoader(Settings(tensorflow_inter_op_parallelism=1))
    servable = load(small_models / "half" / "1")
    assert isinstance(servable, FairScheduler)
    assert servable._semaphore._free == PER_THREAD
    servable.close()
