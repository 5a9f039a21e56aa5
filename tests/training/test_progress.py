"""The terminal output during a stage."""

import pytest

from training import progress
from training.progress import MEASURED_STEPS, SETTLING_STEPS, Progress

LOGS = {"loss": 0.5, "accuracy": 0.25}


class Clock:
    """A minute passes between two steps, or nothing."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def lines_of(
    shown: Progress, clock: Clock, steps: int, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """The lines of `steps` steps of one epoch, a minute each."""
    shown.on_epoch_begin(0)
    for step in range(steps):
        clock.now += 60
        shown.on_train_batch_end(step, LOGS)
    return capsys.readouterr().out.splitlines()


def test_the_time_left_is_told_once_enough_steps_were_measured(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = lines_of(Progress("stage 2", 2, 100, estimates=True), clock, 30, capsys)
    assert lines[0] == "stage 2, epoch 1 of 2, step 1 of 100: loss 0.500, 25.0% right"
    silent = SETTLING_STEPS + MEASURED_STEPS - 1
    assert not any("left" in line for line in lines[:silent])
    assert lines[silent].endswith(f"; about {200 - silent - 1} min left")


def test_a_stage_without_estimates_names_itself_and_the_step_alone(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = lines_of(Progress("stage 1", 1, 100, estimates=False), clock, 50, capsys)
    assert lines[-1] == "stage 1, step 50 of 100: loss 0.500, 25.0% right"
    assert not any("left" in line for line in lines)


def test_a_file_gets_a_line_only_every_half_minute(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Progress("stage 2", 1, 100, estimates=True)
    shown.on_epoch_begin(0)
    for step in range(31):
        clock.now += 1
        shown.on_train_batch_end(step, LOGS)
    assert len(capsys.readouterr().out.splitlines()) == 2
