"""Shows the progress of a training run: the stage, the step, and the time left."""

import sys
import time
from typing import Any

import keras

# The first steps trace the graph and fill the queue of views, so they are not measured.
SETTLING_STEPS = 10
MEASURED_STEPS = 10
# Seconds between two updates: in a terminal, where an update overwrites the line, and in a file.
PAUSE_TERMINAL, PAUSE_FILE = 0.5, 30.0


def say(text: str) -> None:
    """Prints a line and flushes it, so that it appears immediately even in a file."""
    print(text, flush=True)  # noqa: T201


class Progress(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped
    """Shows epoch, step, loss and accuracy of a stage.

    The time left counts all epochs, so it is too long if training stops early. It is shown once
    enough steps were measured; a short stage shows none, since other stages follow it.
    """

    def __init__(self, stage: str, epochs: int, steps: int, *, estimates: bool) -> None:
        """Prepares for one call of `fit`.

        Args:
            stage: The name of the stage in each line.
            epochs: The number of epochs of the whole stage.
            steps: The number of steps of each epoch.
            estimates: Whether to show the time left.
        """
        super().__init__()
        self._stage, self._epochs, self._steps = stage, epochs, steps
        self._estimates = estimates
        self._terminal = sys.stdout.isatty()
        self._seen, self._measured_from = 0, 0.0
        self._next_line = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Remembers the epoch, counted from 0."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Shows the step if the last update is old enough."""
        self._seen += 1
        now = time.monotonic()
        if self._seen == SETTLING_STEPS:
            self._measured_from = now
        if now >= self._next_line:
            self._next_line = now + (PAUSE_TERMINAL if self._terminal else PAUSE_FILE)
            self._show(self._line(batch + 1, logs or {}) + self._time_left(batch + 1, now))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Ends the terminal line that the steps overwrite."""
        if self._terminal:
            say("")

    def _line(self, step: int, logs: dict[str, Any]) -> str:
        epoch = f", epoch {self._epoch + 1} of {self._epochs}" if self._epochs > 1 else ""
        right = f", {logs['accuracy']:.1%} right" if "accuracy" in logs else ""
        return f"{self._stage}{epoch}, step {step} of {self._steps}: loss {logs['loss']:.3f}{right}"

    def _time_left(self, step: int, now: float) -> str:
        """Returns the time left as the end of a line; empty while it is unknown."""
        measured = self._seen - SETTLING_STEPS
        if not self._estimates or measured < MEASURED_STEPS:
            return ""
        steps = (self._epochs - self._epoch) * self._steps - step
        minutes = steps * (now - self._measured_from) / measured / 60
        return f"; about {minutes:.0f} min left" if minutes >= 1 else "; less than a minute left"

    def _show(self, line: str) -> None:
        if self._terminal:
            print(f"\r{line:<100}", end="", flush=True)  # noqa: T201
        else:
            say(line)
